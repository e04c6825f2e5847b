package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"weir/internal/event"
)

const (
	logName = "receiver.log"
	maxLine = 1 << 20
)

// receiverLog is what the receiver's log tells.
type receiverLog struct {
	listen                   string // where it listens, once it does
	framesLost, rebuilt      int    // frames, symbols
	blocksHealed, blocksLost int
	whole                    []string // restore points
}

// line is what is of interest in one line of the log.
type line struct {
	Event, Listen, Snapshot string
	Frames, Rebuilt         int
}

// readLog reads a log of JSON lines. The last one may be under way.
func readLog(path string) (l receiverLog, err error) {
	f, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var n line
		if json.Unmarshal(lines.Bytes(), &n) == nil {
			l.add(n)
		}
	}
	if err := lines.Err(); err != nil {
		return l, fmt.Errorf("reading the receiver's log: %w", err)
	}
	return l, nil
}

func (l *receiverLog) add(n line) {
	switch n.Event {
	case event.Started:
		l.listen = n.Listen
	case event.FramesLost:
		l.framesLost += n.Frames
	case event.BlockHealed:
		l.blocksHealed++
		l.rebuilt += n.Rebuilt
	case event.BlockLost:
		l.blocksLost++
	case event.SnapshotWhole:
		l.whole = append(l.whole, n.Snapshot)
	}
}
