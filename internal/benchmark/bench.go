package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/internal/config"
)

// setup is one row of the table.
type setup struct {
	tool, model string
	mtu         int
	loss        float64 // percent
}

// name is the row as a benchmark's name.
func (s setup) name() string {
	return fmt.Sprintf("BenchmarkLink/model=%s/mtu=%d/loss=%g/tool=%s", s.model, s.mtu, s.loss, s.tool)
}

// losesItself reports whether the receiving program is built to lose frames.
func (s setup) losesItself() bool { return s.tool == "weir" || s.tool == "lanes" || s.tool == "files" }

// outcome is one run.
type outcome struct {
	bytes      int64 // of content that arrived
	took       time.Duration
	sent       time.Duration // until the sender had sent it, where that was looked at
	send, recv usage
}

// line writes the outcome as benchstat reads it.
func (o outcome) line(name string) string {
	gb := float64(o.bytes) / 1e9
	return fmt.Sprintf("%s 1 %d ns/op %.2f s %.2f sent-s %.3f Gbit/s %.3f send-s/GB %.3f recv-s/GB %.1f send-MiB %.1f recv-MiB", name,
		o.took.Nanoseconds(), o.took.Seconds(), o.sent.Seconds(), gb*8/o.took.Seconds(), o.send.cpu.Seconds()/gb, o.recv.cpu.Seconds()/gb,
		float64(o.send.peak)/(1<<20), float64(o.recv.peak)/(1<<20))
}

// bench holds what all runs share.
type bench struct {
	opt   options
	bin   string // directory of the programs
	place *place
	file  string
	hosts *hosts

	rate     config.Rate // of this row: on a one-way link it has to be known what arrives
	sentOnce *pair       // that has sent the first snapshot of the files
}

// measures has the tools by name.
var measures map[string]func(b *bench, ctx context.Context, s setup) (outcome, error)

func init() {
	measures = map[string]func(*bench, context.Context, setup) (outcome, error){
		"weir": (*bench).weir, "lanes": (*bench).weir, "files": (*bench).files, "again": (*bench).again, "bare": (*bench).bare, "iperf3": (*bench).iperf3, "udpcast": (*bench).udpcast,
	}
}

// cpu returns where a program is pinned, or -1.
func (b *bench) cpu(n int) int {
	if !b.opt.pin {
		return -1
	}
	return n
}

func run(ctx context.Context, args []string) (err error) {
	b := &bench{}
	if b.opt, err = parse(args); err != nil {
		return err
	}
	if b.bin = b.opt.bin; b.bin == "" {
		if b.bin, err = os.MkdirTemp("", "weir-bench-bin-"); err != nil {
			return err
		}
		defer os.RemoveAll(b.bin)
	}
	if err := programs(ctx, b.bin); err != nil {
		return err
	}
	if b.place, err = newPlace(ctx, &b.opt); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.place.close()) }()
	if b.opt.pace {
		return b.paces(ctx, os.Stdout)
	}
	os.RemoveAll(b.place.path("source")) // of a run that was cut short
	defer os.RemoveAll(b.place.path("source"))
	if err := b.source(); err != nil {
		return err
	}
	out, err := b.opt.output()
	if err != nil {
		return err
	}
	err = errors.Join(describe(out), b.all(ctx, out), out.Close())
	if err != nil {
		return err
	}
	if b.opt.out == "" {
		return nil
	}
	return printTable(os.Stdout, b.opt.out)
}

// source makes what the tools send: one large file, or many small ones.
func (b *bench) source() error {
	b.file = b.place.path("source", "file")
	if slices.ContainsFunc(b.opt.tools, ofTree) {
		if err := b.makeTree(); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(b.opt.tools, func(tool string) bool { return !ofTree(tool) }) {
		return nil
	}
	return makeFile(b.file, int64(b.opt.size))
}

// all runs every row.
func (b *bench) all(ctx context.Context, out io.Writer) error {
	for _, mtu := range b.opt.mtus {
		for _, model := range b.opt.models {
			for _, loss := range b.opt.losses {
				for _, tool := range b.opt.tools {
					s := setup{tool: tool, model: model, mtu: mtu, loss: loss}
					if err := b.row(ctx, out, s); err != nil {
						return fmt.Errorf("%s: %w", s.name(), err)
					}
				}
			}
		}
	}
	return nil
}

// row makes as many runs of one row as lack. A run that fails is told of and does
// not count.
func (b *bench) row(ctx context.Context, out io.Writer, s setup) (err error) {
	if s.loss > 0 && s.tool == "bare" {
		return nil // the kernel would lose its super-packets whole
	}
	left, err := b.opt.lacking(s)
	if left == 0 || err != nil {
		return err
	}
	b.rate = b.opt.rate
	if s.tool == "udpcast" {
		b.rate = min(b.rate, udpcastMost)
	}
	if b.hosts, err = newHosts(ctx, s.mtu, s.model); err != nil {
		return err
	}
	defer b.hosts.close()
	if s.tool == "lanes" {
		if err := b.hosts.lay(ctx, second, s.mtu, s.model); err != nil {
			return err
		}
	}
	if s.loss > 0 && !s.losesItself() {
		if err := b.hosts.lose(ctx, s.loss); err != nil {
			return err
		}
	}
	for misses := 0; left > 0 && misses < missesMost; {
		good, err := b.once(ctx, out, s)
		if err != nil {
			return err
		}
		if good {
			left--
			continue
		}
		misses++
		b.rate = config.Rate(float64(b.rate) * slower)
	}
	return nil
}

// After a run in which something was lost the next is slower, and after some of
// them there is no other.
const (
	slower     = 0.8
	missesMost = 6
)

// once makes one run and reports whether all of it arrived.
func (b *bench) once(ctx context.Context, out io.Writer, s setup) (good bool, err error) {
	one, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !ofTree(s.tool) && b.place.mounted { // a disk takes no memory
		w, err := b.warm()
		if err != nil {
			return false, err
		}
		defer w.close()
		go w.feed(one)
	}
	o, err := measures[s.tool](b, one, s)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	line := o.line(s.name())
	if good = err == nil; !good {
		fmt.Fprintf(os.Stderr, "at %v: %v\n", b.rate, err)
		line = fmt.Sprintf("# %s failed: at %v: %.60s", s.name(), b.rate, err)
	}
	_, err = fmt.Fprintln(out, line)
	return good, err
}

// makeFile makes a file that cannot be compressed.
func makeFile(path string, size int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	rng := rand.NewChaCha8([32]byte{1})
	_, err = io.CopyBuffer(f, io.LimitReader(rng, size), make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}
