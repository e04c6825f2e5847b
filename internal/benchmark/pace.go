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

// barePaced sends frames as a sender's transmitter does, through its pacer and its
// socket, and does nothing else.
func barePaced(rate string) error {
	bits, err := strconv.ParseUint(rate, 10, 64)
	if err != nil {
		return err
	}
	c, err := udptx.Dial(udptx.Config{To: netip.MustParseAddrPort(bareAddress)})
	if err != nil {
		return err
	}
	defer c.Close()
	burst := min(float64(config.BurstBytes), float64(bits)/8/1000) // a millisecond of it
	n := max(1, int(burst)/pacing.WireBytes(paceFrame))
	frames := make([]byte, n*paceFrame)
	p := pacing.New(bits, int(config.BurstBytes), pacing.System{})
	for begun := time.Now(); time.Since(begun) < paceTime; {
		p.Wait(n * pacing.WireBytes(paceFrame))
		if err := c.Send(frames, paceFrame); err != nil {
			return err
		}
	}
	return nil
}

// passed is one capture record: when, and how many bytes on the wire.
type passed struct {
	at    time.Duration
	bytes int
}

// pace measures how exact the pace is, from the timestamps of a capture on the
// receiving interface. It prints its own line.
func (b *bench) pace(ctx context.Context, out io.Writer, rate uint64) error {
	file := b.place.path("pace.pcap")
	defer os.Remove(file)
	tap, err := start(ctx, b.hosts.recv, -1, "tcpdump", "-i", recvDev, "-s", "64", "-B", "65536", "-w", file, "udp")
	if err != nil {
		return err
	}
	if _, err := tap.await(ctx, "listening"); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	send, err := start(ctx, b.hosts.send, b.cpu(0), self, bareCommand, "paced", fmt.Sprint(rate))
	if err != nil {
		return err
	}
	use, err := send.wait()
	if err != nil {
		return err
	}
	time.Sleep(paceWindow)
	if _, err := tap.end(); err != nil {
		return err
	}
	all, err := readCapture(file)
	if err != nil {
		return err
	}
	typical, worst := deviation(all, float64(rate)/8)
	_, err = fmt.Fprintf(out, "BenchmarkPace/rate=%v 1 %d ns/op %.3f p95-%%-off %.3f worst-%%-off %d largest-burst-bytes %.1f cpu-%%\n",
		config.Rate(rate), paceTime.Nanoseconds(), typical, worst, largestBurst(all, float64(rate)/8), 100*use.cpu.Seconds()/paceTime.Seconds())
	return err
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
