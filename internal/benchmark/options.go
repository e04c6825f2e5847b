package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/config"
)

// options say what to measure.
type options struct {
	tools, models []string
	mtus          []int
	losses        []float64 // percent
	rate          config.Rate
	burst         config.Duration
	overhead      config.Percent
	size, train   config.Size
	files         int
	fileSize      config.Size
	runs          int
	pin, pace     bool
	huge          bool
	dir, out, bin string
}

// parse reads the flags.
func parse(args []string) (o options, err error) {
	o = options{rate: 7.5e9, size: 2 << 30, burst: config.Duration(time.Millisecond), overhead: 10}
	var errs []error
	f := flag.NewFlagSet("benchmark", flag.ContinueOnError)
	tools := f.String("tools", "weir", "what to measure: weir, bare, iperf3, udpcast; lanes: weir over two links; files: many small files; again: their second snapshot")
	models := f.String("models", "S,G,W", "models of the link: S super-packets cross it whole, G the receiver merges, W one packet at a time")
	mtus := f.String("mtu", "1500", "MTUs")
	losses := f.String("loss", "0", "random loss in percent")
	f.TextVar(&o.rate, "rate", o.rate, "rate on the wire, of weir; lower where something is lost at it")
	f.TextVar(&o.burst, "burst", o.burst, "outage that parity bridges")
	f.TextVar(&o.train, "train", config.BurstBytes, "burst_bytes: what leaves back to back")
	f.TextVar(&o.overhead, "overhead", o.overhead, "parity; from 5 % loss on 25 % at the least")
	f.TextVar(&o.size, "size", o.size, "size of the file")
	f.IntVar(&o.files, "files", 100_000, "how many files, for the tools files and again")
	f.TextVar(&o.fileSize, "file-size", config.Size(4<<10), "size of each of them")
	f.IntVar(&o.runs, "runs", 5, "runs of each, with those that -out has; medians are shown")
	whole := f.Bool("whole", false, "all tools, models, losses and MTUs: the table of the README")
	f.BoolVar(&o.pin, "pin", false, "sender on CPU 0, receiver on CPU 1")
	f.BoolVar(&o.pace, "pace", false, "instead, measure how exact the pace is, from a capture (needs tcpdump)")
	f.BoolVar(&o.huge, "huge", true, "a tmpfs with huge pages (huge=within_size)")
	f.StringVar(&o.dir, "dir", "", "directory of files and vault, instead of a tmpfs of its own")
	f.StringVar(&o.bin, "bin", "", "build the programs here and keep them, for a profiler")
	f.StringVar(&o.out, "out", "", "append the lines to this file, and show all of it in a table; what it has is not run again")
	errs = append(errs, f.Parse(args))
	if *whole {
		*tools, *models, *mtus, *losses = "weir,bare,udpcast,iperf3", "S,G,W", "1500,9000", "0,0.1,1,5"
	}
	o.tools, o.models = strings.Split(*tools, ","), strings.Split(*models, ",")
	var perr error
	o.mtus, perr = list(*mtus, strconv.Atoi)
	errs = append(errs, perr)
	o.losses, perr = list(*losses, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	return o, errors.Join(append(errs, perr, o.check())...)
}

func (o *options) check() error {
	for _, m := range o.models {
		if !slices.Contains([]string{"S", "G", "W"}, m) {
			return fmt.Errorf("there is no model %q: S, G and W are known", m)
		}
	}
	for _, t := range o.tools {
		if measures[t] == nil {
			return fmt.Errorf("there is no tool %q: weir, lanes, files, again, bare, iperf3 and udpcast are known", t)
		}
	}
	if o.runs < 1 || o.files < 1 || o.fileSize < minFileSize {
		return fmt.Errorf("runs and files must be at least 1, file-size %d", minFileSize)
	}
	return nil
}

// lacking returns how many runs of a row are still to be made.
func (o *options) lacking(s setup) (int, error) {
	if o.out == "" {
		return o.runs, nil
	}
	rows, err := readLines(o.out)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if r.name == s.name() {
			return max(0, o.runs-len(r.values[rateUnit])), nil
		}
	}
	return o.runs, nil
}

func list[T any](s string, parse func(string) (T, error)) (all []T, err error) {
	for part := range strings.SplitSeq(s, ",") {
		v, err := parse(part)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// output is where lines go: to the screen, and to a file if one is named.
func (o *options) output() (io.WriteCloser, error) {
	if o.out == "" {
		return nopCloser{os.Stdout}, nil
	}
	return os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
