package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"weir/internal/config"
	"weir/internal/pacing"
	"weir/internal/udptx"
)

const (
	paceTime   = 3 * time.Second
	paceWindow = 100 * time.Millisecond
	paceFrame  = 1472 // bytes of a UDP payload
	paceHeader = 14 + 20 + 8
)

// paced lets batches of frames leave through a pacer, as a sender's transmitter
// does, for as long as a measure takes.
func paced(rate string, leave func(frames []byte) error) (bits uint64, err error) {
	if bits, err = strconv.ParseUint(rate, 10, 64); err != nil {
		return 0, err
	}
	burst := min(float64(config.BurstBytes), float64(bits)/8/1000) // a millisecond of it
	n := max(1, int(burst)/pacing.WireBytes(paceFrame))
	frames := make([]byte, n*paceFrame)
	p := pacing.New(bits, int(config.BurstBytes), pacing.System{})
	for begun := time.Now(); time.Since(begun) < paceTime && err == nil; {
		p.Wait(n * pacing.WireBytes(paceFrame))
		err = leave(frames)
	}
	return bits, err
}

// barePaced sends, and does nothing else.
func barePaced(rate string) error {
	c, err := udptx.Dial(udptx.Config{To: netip.MustParseAddrPort(bareAddress)})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = paced(rate, func(frames []byte) error { return c.Send(frames, paceFrame) })
	return err
}

// bareTimed sends nothing: it notes when it would have. What is off then is off by
// the machine, which did not let a program run that has nothing to do but be on time.
func bareTimed(rate string) error {
	var all []passed
	begun := time.Now()
	bits, err := paced(rate, func(frames []byte) error {
		all = append(all, passed{time.Since(begun), len(frames) / paceFrame * pacing.WireBytes(paceFrame)})
		return nil
	})
	if err != nil {
		return err
	}
	typical, worst := deviation(all, float64(bits)/8)
	_, err = fmt.Printf("timed %f %f\n", typical, worst)
	return err
}

// passed is one capture record: when, and how many bytes on the wire.
type passed struct {
	at    time.Duration
	bytes int
}

// pace measures how exact the pace is, from the timestamps of a capture on the
// receiving interface, and how exact it is where nothing is sent. It prints its own
// line.
func (b *bench) pace(ctx context.Context, out io.Writer, rate uint64) error {
	all, use, err := b.capture(ctx, rate)
	if err != nil {
		return err
	}
	var idle, idleWorst float64
	timed, _, err := b.paced(ctx, "timed", rate)
	if err != nil {
		return err
	}
	_, line, _ := timed.find("timed ")
	if _, err := fmt.Sscanf(line, "timed %f %f", &idle, &idleWorst); err != nil {
		return fmt.Errorf("reading %q: %w", line, err)
	}
	typical, worst := deviation(all, float64(rate)/8)
	_, err = fmt.Fprintf(out, "BenchmarkPace/rate=%v 1 %d ns/op %.3f p95-%%-off %.3f worst-%%-off %.3f idle-p95-%%-off %.3f idle-worst-%%-off %d largest-burst-bytes %.1f cpu-%%\n",
		config.Rate(rate), paceTime.Nanoseconds(), typical, worst, idle, idleWorst, largestBurst(all, float64(rate)/8), 100*use.cpu.Seconds()/paceTime.Seconds())
	return err
}

// paced runs this program as one that keeps a pace.
func (b *bench) paced(ctx context.Context, how string, rate uint64) (*process, usage, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, usage{}, err
	}
	p, err := start(ctx, b.hosts.send, b.cpu(0), self, bareCommand, how, fmt.Sprint(rate))
	if err != nil {
		return nil, usage{}, err
	}
	use, err := p.wait()
	return p, use, err
}

// capture returns what passed the receiving interface while frames were sent at a
// rate, and what it cost to send them.
func (b *bench) capture(ctx context.Context, rate uint64) (all []passed, use usage, err error) {
	file := b.place.path("pace.pcap")
	defer os.Remove(file)
	tap, err := start(ctx, b.hosts.recv, -1, "tcpdump", "-i", recvDev, "-s", "64", "-B", "65536", "-w", file, "udp")
	if err != nil {
		return nil, use, err
	}
	if _, err := tap.await(ctx, "listening"); err != nil {
		return nil, use, err
	}
	if _, use, err = b.paced(ctx, "paced", rate); err != nil {
		return nil, use, err
	}
	time.Sleep(paceWindow)
	if _, err := tap.end(); err != nil {
		return nil, use, err
	}
	all, err = readCapture(file)
	return all, use, err
}

// readCapture reads a file in pcap's format (pcap-savefile(5)).
func readCapture(path string) (all []passed, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if _, err := r.Discard(24); err != nil {
		return nil, err
	}
	var head [16]byte
	for {
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		le := binary.LittleEndian
		if _, err := r.Discard(int(le.Uint32(head[8:]))); err != nil {
			return nil, err
		}
		payload := int(le.Uint32(head[12:])) - paceHeader
		frames := (payload + paceFrame - 1) / paceFrame
		at := time.Duration(le.Uint32(head[0:]))*time.Second + time.Duration(le.Uint32(head[4:]))*time.Microsecond
		all = append(all, passed{at, payload + frames*pacing.FrameOverhead})
	}
}

// deviation returns by how many percent of the rate, in bytes a second, any 100 ms
// are off: 95 of 100 such stretches by no more than the first, all by no more than
// the second. Stretches begin at every record.
func deviation(all []passed, rate float64) (typical, worst float64) {
	var offs []float64
	sum, to := 0, 0
	for from := range all {
		for ; to < len(all) && all[to].at < all[from].at+paceWindow; to++ {
			sum += all[to].bytes
		}
		if to == len(all) {
			break
		}
		want := rate * paceWindow.Seconds()
		offs = append(offs, 100*max(float64(sum)/want-1, 1-float64(sum)/want))
		sum -= all[from].bytes
	}
	if len(offs) == 0 {
		return 100, 100
	}
	slices.Sort(offs)
	return offs[len(offs)*95/100], offs[len(offs)-1]
}

// largestBurst returns the most bytes by which a token bucket of the rate was ever
// overdrawn.
func largestBurst(all []passed, rate float64) int {
	level, most := 0.0, 0.0
	for i, p := range all {
		if i > 0 {
			level = max(0, level-rate*(p.at-all[i-1].at).Seconds())
		}
		level += float64(p.bytes)
		most = max(most, level)
	}
	return int(most)
}

// paces measures all rates that the configuration is meant for.
func (b *bench) paces(ctx context.Context, out io.Writer) error {
	var err error
	if b.hosts, err = newHosts(ctx, 1500, "S"); err != nil {
		return err
	}
	defer b.hosts.close()
	for _, rate := range []uint64{10e6, 100e6, 1e9, 5e9, 10e9} {
		if err := b.pace(ctx, out, rate); err != nil {
			return err
		}
	}
	return nil
}
