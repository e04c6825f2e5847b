// Package progress shows how far a long piece of work is: a bar on a terminal,
// a log line every few seconds elsewhere. It stands apart from package
// terminal because the bar's library brings net/http with it, which the
// receiver must not link.
package progress

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"

	"weir/internal/event"
	"weir/internal/terminal"
)

const (
	drawEvery = 100 * time.Millisecond
	logEvery  = 5 * time.Second
	// window is how far back the rate of a log line looks.
	window = 15 * time.Second
	// besides is the columns that a bar's line needs beside bar and name.
	besides            = 52
	minWidth, maxWidth = 8, 40
)

// Progress counts bytes and shows them. Its methods are safe for concurrent
// use, and Add neither waits nor allocates.
type Progress struct {
	done, total atomic.Int64
	screen      *terminal.Screen
	log         zerolog.Logger
	what        string
	stop        func()
}

// Start begins to show the work called what, total bytes long; 0 means that
// the length is not known (yet). Call Close in the end.
func Start(screen *terminal.Screen, log zerolog.Logger, what string, total int64) *Progress {
	p := &Progress{screen: screen, log: log, what: what}
	p.total.Store(total)
	quit, ended := make(chan struct{}), make(chan struct{})
	p.stop = sync.OnceFunc(func() { close(quit); <-ended })
	go func() {
		defer close(ended)
		if screen.IsTerminal() {
			p.drawLoop(quit)
			return
		}
		p.logLoop(quit)
	}()
	return p
}

// Add counts n more bytes as done.
func (p *Progress) Add(n int64) { p.done.Add(n) }

// Done returns the bytes counted so far.
func (p *Progress) Done() int64 { return p.done.Load() }

// SetTotal changes the length of the work, which may grow or become known
// while it is done.
func (p *Progress) SetTotal(n int64) { p.total.Store(n) }

// Close takes the bar away. Further calls do nothing.
func (p *Progress) Close() { p.stop() }

func (p *Progress) drawLoop(quit <-chan struct{}) {
	ticker := time.NewTicker(drawEvery)
	defer ticker.Stop()
	// An error of the terminal is no reason to stop the work.
	defer p.screen.SetStatus("")
	bar := newBar(p.screen, p.what)
	for {
		p.screen.SetStatus(bar.line(p.done.Load(), p.total.Load()))
		select {
		case <-quit:
			return
		case <-ticker.C:
		}
	}
}

// A bar renders into its line only; the screen decides when it is drawn.
type bar struct {
	*progressbar.ProgressBar
	what  string
	width int
	total int64
}

func newBar(screen *terminal.Screen, what string) *bar {
	b := &bar{what: what, width: min(max(screen.Width()-besides-len(what), minWidth), maxWidth)}
	b.begin(-1)
	return b
}

func (b *bar) begin(total int64) {
	b.ProgressBar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetDescription(b.what),
		progressbar.OptionSetWidth(b.width),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine of its own
	)
}

// line renders the bar. The last byte is held back: the library takes a bar
// that reached its end for finished, and a total that grows would not revive it.
func (b *bar) line(done, total int64) string {
	b.setTotal(total)
	if b.total > 0 {
		done = max(min(done, b.total-1), 0)
	}
	// What the library refuses, it does not draw: the last line stays.
	b.Set64(done)
	b.RenderBlank()
	return strings.TrimSpace(b.String())
}

// setTotal begins anew where the length becomes known: the library counts
// another way without one.
func (b *bar) setTotal(total int64) {
	switch {
	case total <= 0 || total == b.total:
		return
	case b.total == 0:
		b.begin(total)
	default:
		b.ChangeMax64(total)
	}
	b.total = total
}

func (p *Progress) logLoop(quit <-chan struct{}) {
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	pace := newPace(time.Now(), p.done.Load())
	for {
		select {
		case <-quit:
			return
		case now := <-ticker.C:
			p.logLine(pace, now)
		}
	}
}

// logLine writes the line of one tick. Rate and time left are those of the
// last few seconds: a mean since the start would hide a link that stands still.
func (p *Progress) logLine(pace *pace, now time.Time) {
	done, total := p.done.Load(), p.total.Load()
	rate := pace.rate(now, done)
	line := p.log.Info().Str(event.Field, event.Progress).Str("what", p.what).
		Int64("bytes", done).Int64("bytes_per_second", int64(rate))
	words := humanize.IBytes(uint64(max(done, 0)))
	if total > 0 {
		line = line.Int64("total", total)
		words += " of " + humanize.IBytes(uint64(total))
	}
	words += ", " + humanize.IBytes(uint64(rate)) + "/s"
	if left, ok := timeLeft(done, total, rate); ok {
		line = line.Float64("seconds_left", left.Seconds())
		words += ", " + left.String() + " left"
	}
	line.Msg(words)
}

// timeLeft returns the time that the rest takes at rate, in whole seconds.
func timeLeft(done, total int64, rate float64) (time.Duration, bool) {
	const longest = 365 * 24 * 3600
	if total <= 0 || rate <= 0 {
		return 0, false
	}
	seconds := float64(max(total-done, 0)) / rate
	if seconds > longest {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}
