package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/expectation"
	"weir/internal/keys"
	"weir/internal/linkquality"
	"weir/internal/nic"
	"weir/internal/report"
	"weir/internal/status"
	"weir/receiver"
)

// clockSkew is from how much difference on the clocks of two hosts count as apart.
const clockSkew = time.Minute

// observer gathers, on the thread that receives, what a report needs, and hands it
// to a goroutine that reports.
type observer struct {
	every    time.Duration
	next     time.Time
	seen     *seen
	cards    []*nic.Card
	sockets  *sockets
	receiver *receiver.Receiver
	report   *report.Reporter
	facts    chan report.Facts
	done     chan struct{}
	heard    map[string]time.Time
	received map[string]uint64 // frames of each sender at the last look
	started  bool
}

// newObserver opens all that needs files outside of the vault.
func newObserver(c config.Receiver, log zerolog.Logger, seen *seen, free int64, sockets *sockets, r *receiver.Receiver) (*observer, error) {
	key, err := keys.Attestation(c.AttestationKey)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	rep, err := report.New(report.Config{
		Vault: c.Vault, Dir: c.Status, Every: time.Duration(c.StatusEvery), Senders: c.SenderNames(), Rule: ruleOf(c), Expect: expected(c),
		Limits:  expectation.Limits{Silent: time.Duration(c.SilentAfter), Skew: clockSkew, Full: time.Duration(c.FullWithin)},
		MinFree: free, Key: key, Host: host, Tool: tool(), Log: log, Note: seen.note, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	var cards []*nic.Card
	for _, l := range c.Lanes {
		card, err := nic.Open(l.Address.Addr())
		if err != nil && !errors.Is(err, nic.ErrNone) {
			log.Warn().Str(event.Field, event.StatusFailed).Err(err).Msg("what the network card drops is not known")
		}
		cards = append(cards, card)
	}
	o := &observer{
		every: time.Duration(c.StatusEvery), seen: seen, cards: cards, sockets: sockets, receiver: r, report: rep,
		facts: make(chan report.Facts, 1), done: make(chan struct{}), heard: map[string]time.Time{}, received: map[string]uint64{},
	}
	return o, nil
}

// expected returns the sources that are named in full, and of which something is
// expected: their absence must show.
func expected(c config.Receiver) (all []report.Name) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.ExpectEvery != nil && r.Names() {
			all = append(all, report.Name{Sender: r.Sender, Source: r.Source})
		}
	}
	return all
}

func ruleOf(c config.Receiver) func(sender, source string) expectation.Rule {
	return func(sender, source string) expectation.Rule {
		r, out := c.RuleFor(sender, source), expectation.Rule{NotWhole: time.Duration(c.NotWholeAfter)}
		if r.ExpectEvery != nil {
			out.Every = time.Duration(*r.ExpectEvery)
		}
		if r.SizeMin != nil {
			out.SizeMin = int64(*r.SizeMin)
		}
		if r.SizeMax != nil {
			out.SizeMax = int64(*r.SizeMax)
		}
		if r.NotWholeAfter != nil {
			out.NotWhole = time.Duration(*r.NotWholeAfter)
		}
		return out
	}
}

// tool is what the status says it was written by.
func tool() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return filepath.Base(os.Args[0]) + " " + version
}

// start begins to report.
func (o *observer) start() {
	o.started = true
	go func() {
		defer close(o.done)
		for f := range o.facts {
			o.report.Look(f)
		}
	}()
}

// tick hands over the facts when it is time and the last ones were taken. It
// belongs to the thread that receives, and never waits.
func (o *observer) tick(now time.Time) {
	if now.Before(o.next) || len(o.facts) > 0 {
		return
	}
	o.next = now.Add(o.every)
	o.facts <- o.gather(now)
}

func (o *observer) gather(now time.Time) report.Facts {
	f := report.Facts{Heard: map[string]time.Time{}, Skew: o.seen.skew(), Moving: o.seen.moving.Transfers(now)}
	var received map[string]uint64
	lanes := o.receiver.TakeLinks()
	f.Links, received = linksOf(lanes)
	f.Lanes = lanesOf(lanes)
	for name, n := range received {
		if n != o.received[name] {
			o.received[name], o.heard[name] = n, now.UTC()
		}
	}
	for name, at := range o.heard {
		f.Heard[name] = at
	}
	counts, stats := o.receiver.Counters(), o.sockets.stats()
	f.Receiver = status.Receiver{
		Datagrams: counts.Datagrams, Dropped: counts.Dropped, Socket: stats.KernelDrops, Interface: o.cardsDropped(), Buffer: o.sockets.buffer(),
	}
	return f
}

// linksOf adds up the lanes of each sender, and returns how many frames came from
// each. Of several lanes each is also listed, and counted, by itself.
func linksOf(lanes []receiver.SenderLink) (all []linkquality.Link, received map[string]uint64) {
	received = map[string]uint64{}
	sums := map[string]int{}
	for _, l := range lanes {
		received[l.Sender] += l.Received
		one := linkquality.Link{
			Sender: l.Sender, Rate: l.Params.Rate, Geometry: l.Params.Geometry,
			Counts: linkquality.Counts{
				Received: l.Received, Lost: l.Lost, Reordered: l.Reordered, Late: l.Late,
				Longest: l.Longest, Distance: l.Distance, Bursts: l.Bursts,
			},
		}
		if i, ok := sums[l.Sender]; ok {
			all[i].Counts.Add(&one.Counts)
		} else {
			sums[l.Sender] = len(all)
			all = append(all, one)
		}
		if l.Lanes > 1 {
			one.Sender, one.Rate = linkquality.LaneName(l.Sender, l.Lane), one.Rate/uint64(l.Lanes)
			all = append(all, one)
			received[one.Sender] = l.Received
		}
	}
	return all, received
}

// lanesOf returns what is known of the lanes of each sender that was heard; of one
// with a single lane, that it has no others.
func lanesOf(all []receiver.SenderLink) map[string][]expectation.Lane {
	out := map[string][]expectation.Lane{}
	for _, l := range all {
		if out[l.Sender] == nil {
			out[l.Sender] = []expectation.Lane{}
		}
		if l.Lanes > 1 && l.Lane < l.Lanes {
			out[l.Sender] = append(out[l.Sender], expectation.Lane{
				Name: linkquality.LaneName(l.Sender, l.Lane), Silent: l.State == receiver.LaneSilent, Known: l.State != receiver.LaneUnknown,
			})
		}
	}
	return out
}

func (o *observer) cardsDropped() (n uint64) {
	for _, card := range o.cards {
		n += card.Dropped()
	}
	return n
}

// stop ends the goroutine. What it had not told yet is told by last.
func (o *observer) stop() {
	if o.started {
		close(o.facts)
		<-o.done
	}
}

// last reports once more, when all that came is stored, and closes. Where nothing
// was reported yet, as the service did not get to run, nothing is.
func (o *observer) last() error {
	for _, card := range o.cards {
		defer card.Close()
	}
	if !o.started {
		return nil
	}
	o.report.Look(o.gather(time.Now()))
	return o.report.Close()
}
