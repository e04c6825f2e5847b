package vault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	eventsFile = "events.jsonl"
	headFile   = "events.head"
	maxHead    = 4096 // bytes
)

// Head names the end of an event log: that many lines, the last with this hash.
// Whoever keeps one elsewhere can hold a later log against it.
type Head struct {
	Sequence uint64 `json:"seq"`
	SHA256   string `json:"sha256"`
}

// String returns the head in the form that ParseHead reads.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Sequence, h.SHA256) }

// ParseHead reads "SEQUENCE:SHA256".
func ParseHead(text string) (h Head, err error) {
	n, sum, _ := strings.Cut(text, ":")
	var hash Hash
	if _, err = fmt.Sscanf(n, "%d", &h.Sequence); err != nil || !decodeHash(sum, &hash) {
		return h, fmt.Errorf("%q is no head of an event log, write it as it was printed, like 42:<64 hex digits>", text)
	}
	h.SHA256 = hash.String()
	return h, nil
}

// EventFinding is one thing that is wrong with the event log.
type EventFinding struct {
	Line int // from 1; 0 for the log as a whole
	What string
}

// String returns the finding as a line for an operator.
func (f EventFinding) String() string {
	if f.Line == 0 {
		return f.What
	}
	return fmt.Sprintf("line %d: %s", f.Line, f.What)
}

// EventReport says what VerifyEvents found.
type EventReport struct {
	Head     Head
	Findings []EventFinding
}

func (r *EventReport) add(line int, what string, args ...any) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, EventFinding{line, fmt.Sprintf(what, args...)})
	}
}

// chain follows the lines of an event log.
type chain struct {
	report EventReport
	line   int
	last   string
	heads  map[uint64]string      // hashes that lines must have, by their number
	whole  map[string]int         // line of the latest publication of each restore point
	gone   map[string]int         // and of its removal
	each   func(e Event, ok bool) // may be nil
}

// EachEvent calls visit for the events of a vault. Lines that are damaged are
// left out.
func EachEvent(dir string, visit func(Event)) error {
	c := &chain{each: func(e Event, ok bool) {
		if ok {
			visit(e)
		}
	}}
	return c.follow(layout{dir}.own(eventsFile))
}

// VerifyEvents reads the event log and says what was edited, cut out, put into
// another order or cut off. A cut at the end shows against the file that holds
// the latest hash, against the restore points that are there, and against a head
// that somebody kept elsewhere: other is one, or zero. It needs no lock.
func VerifyEvents(dir string, other Head) (EventReport, error) {
	l := layout{dir}
	c := &chain{heads: map[uint64]string{}, whole: map[string]int{}, gone: map[string]int{}}
	// First what the log must hold at least, then the log: it grows meanwhile.
	stored, err := readHead(l)
	if err != nil {
		c.report.add(0, "%s: %v; it is made anew with the next event", headFile, err)
	}
	points, err := listPoints(l)
	if err != nil {
		return c.report, err
	}
	for _, h := range []Head{stored, other} {
		if h.Sequence > 0 {
			c.heads[h.Sequence] = h.SHA256
		}
	}
	if err := c.follow(l.own(eventsFile)); err != nil {
		return c.report, err
	}
	c.checkEnd(l, points)
	return c.report, nil
}

func readHead(l layout) (h Head, err error) {
	data, err := readBounded(l.own(headFile), maxHead)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	return h, err
}

func (c *chain) follow(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the event log: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxEventLine)
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return nil // being written, or cut short by a crash: it is no event yet
		case errors.Is(err, bufio.ErrBufferFull):
			c.report.add(c.line+1, "it is longer than %d bytes, so no event", maxEventLine)
			return nil
		case err != nil:
			return fmt.Errorf("reading the event log: %w", err)
		}
		c.next(bytes.TrimSuffix(line, []byte("\n")))
	}
}

// next holds a line against the one before.
func (c *chain) next(line []byte) {
	c.line++
	hash := lineHash(line)
	var e Event
	err := json.Unmarshal(line, &e)
	switch {
	case err != nil:
		c.report.add(c.line, "it is no event: %v", err)
		e.Sequence = c.report.Head.Sequence + 1
	case e.Previous != c.last:
		c.report.add(c.line, "it does not hold the hash of the line before: one of the two was edited, or lines between them were cut out or moved")
	case e.Sequence != c.report.Head.Sequence+1:
		c.report.add(c.line, "it has number %d, %d was expected", e.Sequence, c.report.Head.Sequence+1)
	}
	if want, ok := c.heads[e.Sequence]; ok && want != hash {
		c.report.add(c.line, "event %d is another one than was recorded elsewhere", e.Sequence)
	}
	c.last, c.report.Head = hash, Head{e.Sequence, hash}
	c.remember(e, err == nil)
}

func (c *chain) remember(e Event, ok bool) {
	if c.each != nil {
		c.each(e, ok)
	}
	if c.whole == nil || !ok {
		return
	}
	switch e.Event {
	case publishedEvent:
		c.whole[e.Snapshot] = c.line
	case removedEvent:
		c.gone[e.Snapshot] = c.line
	}
}

func (c *chain) checkHeads() {
	for n := range c.heads {
		if n > c.report.Head.Sequence {
			c.report.add(0, "its end was cut off: %d events were recorded elsewhere, it holds %d", n, c.report.Head.Sequence)
		}
	}
}

// checkEnd holds the log against what exists beside it.
func (c *chain) checkEnd(l layout, points []Snapshot) {
	c.checkHeads()
	for _, s := range points {
		// While the pending directory is there, the event is still to come.
		if c.whole[s.Ref()] == 0 && exists(l.point(s)) && !exists(l.pending(s)) {
			c.report.add(0, "it does not tell of the publication of %s, which is there", s.Ref())
		}
	}
	for ref, line := range c.whole {
		s, err := snapshotOf(Request{Snapshot: ref})
		if err == nil && c.gone[ref] < line && !exists(l.point(s)) {
			c.report.add(line, "%s was published and is gone, and nothing tells of its removal", ref)
		}
	}
}
