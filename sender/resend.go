package sender

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/internal/repaircode"
	"weir/protocol"
)

// ErrOtherCode is returned for a code that is well formed and not for what this
// sender has sent.
var ErrOtherCode = errors.New("the code is not for a snapshot that this host remembers: was it made for another sender, or is it too old? weir-send list shows what is remembered; weir-send push sends all anew")

// Resend is what repair codes ask for, worked out: nothing has been sent yet.
type Resend struct {
	Orders []*Order
}

// Order is what is asked for of one snapshot.
type Order struct {
	Snapshot string `json:"snapshot"` // SOURCE/NAME
	Manifest bool   `json:"manifest"` // with its manifest
	Files    int64  `json:"files"`    // of which something is asked for
	Bytes    int64  `json:"bytes"`    // of content
	// Lost says that nothing of it can be sent: it was never finished, or is
	// remembered no more.
	Lost bool `json:"lost,omitempty"`
	sent *Sent
	part repaircode.Part
}

// Plan works out what repair codes ask for. An error about the text of a code
// wraps repaircode.ErrCode, one about what it names ErrOtherCode. With several,
// codes for other senders may be among them.
func (s *Sender) Plan(ctx context.Context, codes []string, several bool) (*Resend, error) {
	r, planned := &Resend{}, resent{}
	for i, text := range codes {
		orders, err := s.resolve(text)
		if several && errors.Is(err, ErrOtherCode) {
			continue
		}
		for _, o := range orders {
			if err == nil {
				err = s.measure(ctx, o, planned)
			}
		}
		if err != nil && len(codes) > 1 {
			err = fmt.Errorf("code %d: %w", i+1, err)
		}
		if err != nil {
			return nil, err
		}
		r.Orders = append(r.Orders, orders...)
	}
	if len(r.Orders) == 0 {
		return nil, ErrOtherCode
	}
	return r, nil
}

// resolve finds the snapshots that a code is about.
func (s *Sender) resolve(text string) ([]*Order, error) {
	code, err := repaircode.Parse(text)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.State.Sent()
	if err != nil {
		return nil, err
	}
	first, err := s.whichSent(code)
	if err != nil || first == nil {
		return nil, errors.Join(err, ErrOtherCode)
	}
	var orders []*Order
	for i, p := range code.Parts {
		orders = append(orders, ordersOf(&p, first[i], all)...)
	}
	return orders, nil
}

// ordersOf returns what a part asks for that begins with the snapshot first.
func ordersOf(p *repaircode.Part, first *Sent, all []*Sent) (orders []*Order) {
	last := p.Number
	if p.Kind == repaircode.Everything {
		last += p.Count - 1
	}
	for _, sent := range all {
		if sent.Source == first.Source && sent.Number >= p.Number && sent.Number <= last {
			orders = append(orders, &Order{Snapshot: sent.Source + "/" + sent.Name(), sent: sent, part: *p})
		}
	}
	if len(orders) == 0 {
		orders = append(orders, &Order{Snapshot: first.Source + "/" + first.Name(), Lost: true})
	}
	return orders
}

// maxGuesses bounds the combinations of sources that are tried for a code:
// several may share the bits that stand for them in it.
const maxGuesses = 4096

// whichSent returns the snapshot that each part of a code begins with, nil where
// the code is for none.
func (s *Sender) whichSent(code *repaircode.Parsed) ([]*Sent, error) {
	candidates := make([][]*Sent, len(code.Parts))
	guesses := 1
	for i, p := range code.Parts {
		begun, err := s.cfg.State.begun(p.Number)
		if err != nil {
			return nil, err
		}
		for _, sent := range begun {
			if repaircode.SourceHash(sent.Source) == p.Source {
				candidates[i] = append(candidates[i], sent)
			}
		}
		guesses = min(guesses*len(candidates[i]), maxGuesses)
	}
	for g := range guesses {
		chosen, bindings := make([]*Sent, len(candidates)), make([]repaircode.Binding, len(candidates))
		for i, c := range candidates {
			chosen[i] = c[g%len(c)]
			g /= len(c)
			bindings[i] = s.binding(chosen[i], code.Parts[i].Kind)
		}
		if code.For(repaircode.Key(bindings)) {
			return chosen, nil
		}
	}
	return nil, nil
}

func (s *Sender) binding(sent *Sent, kind repaircode.Kind) repaircode.Binding {
	b := repaircode.Binding{Sender: s.cfg.Name, Source: sent.Source, Number: sent.Number, Taken: sent.Taken}
	if kind == repaircode.Files || kind == repaircode.Units {
		b.Manifest = sent.SHA256
	}
	return b
}

// named goes through what a part names of a snapshot.
func (s *Sender) named(ctx context.Context, o *Order, do func(e *manifest.Entry, ranges [][2]int64) error) error {
	if o.part.Kind == repaircode.Manifest {
		return nil
	}
	pick := repaircode.NewPicker(o.part)
	err := s.history.each(o.sent, func(e *manifest.Entry) error {
		ranges := pick.File(e.Size)
		if err := ctx.Err(); err != nil || ranges == nil {
			return err
		}
		return do(e, ranges)
	})
	if err == nil && pick.Beyond() {
		return ErrOtherCode
	}
	return err
}

// maxResent bounds the objects that are remembered while codes are followed: about
// 50 MiB. Further ones may go out more than once.
const maxResent = 1 << 20

// resent are the objects that one resend has sent whole. Snapshots in a row share most
// of theirs.
type resent map[protocol.ObjectID]bool

// has reports whether a file need not be sent once more.
func (r resent) has(e *manifest.Entry, ranges [][2]int64) bool {
	return whole(e, ranges) && r[e.Object]
}

func (r resent) add(e *manifest.Entry, ranges [][2]int64) {
	if whole(e, ranges) && e.Object != [16]byte{} && len(r) < maxResent {
		r[e.Object] = true
	}
}

func whole(e *manifest.Entry, ranges [][2]int64) bool {
	return len(ranges) == 1 && ranges[0] == [2]int64{0, e.Size}
}

// measure counts what an order asks for beyond what is planned already.
func (s *Sender) measure(ctx context.Context, o *Order, planned resent) error {
	if o.Lost {
		return nil
	}
	o.Manifest = o.part.Kind == repaircode.Everything || o.part.Kind == repaircode.Manifest
	return s.named(ctx, o, func(e *manifest.Entry, ranges [][2]int64) error {
		if planned.has(e, ranges) {
			return nil
		}
		planned.add(e, ranges)
		o.Files++
		for _, r := range ranges {
			o.Bytes += r[1]
		}
		return nil
	})
}

// Resend sends what was planned, before anything else that waits for the link.
// progress, if not nil, is told of bytes as they are read.
func (s *Sender) Resend(ctx context.Context, r *Resend, progress func(bytes int64)) ([]*Again, error) {
	u, err := s.turns.take(ctx, levelRepair)
	if err != nil {
		return nil, err
	}
	defer u.leave()
	var all []*Again
	done := resent{}
	for _, o := range r.Orders {
		if o.Lost {
			all = append(all, &Again{Snapshot: o.Snapshot, Lost: true})
			continue
		}
		a, err := s.fulfil(ctx, o, u, done, progress)
		if err != nil {
			return all, fmt.Errorf("sending %s again: %w", o.Snapshot, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// fulfil sends what an order asks for and is not among what is done.
func (s *Sender) fulfil(ctx context.Context, o *Order, u *turn, done resent, progress func(bytes int64)) (*Again, error) {
	a := s.again(o.sent, u)
	a.progress = progress
	err := s.named(ctx, o, func(e *manifest.Entry, ranges [][2]int64) error {
		if done.has(e, ranges) {
			return nil
		}
		asked, gone := ranges, a.result.Gone
		if whole(e, ranges) {
			ranges = nil
		}
		err := a.file(ctx, e, ranges)
		if err == nil && a.result.Gone == gone { // else another snapshot may have it under another path
			done.add(e, asked)
		}
		return err
	})
	if err == nil && o.Manifest {
		err = a.manifest(ctx)
	}
	if err == nil {
		err = a.finish(ctx)
	}
	if cerr := a.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	s.cfg.Log.Info().Str(event.Field, event.RepairSent).Str("snapshot", s.cfg.Name+"/"+o.Snapshot).Bool("manifest", a.result.Manifest).
		Int64("files", a.result.Files).Int64("bytes", a.result.Bytes).Int64("gone", a.result.Gone).Int64("gone_bytes", a.result.GoneBytes).
		Msg("what a repair code asked for has left")
	return &a.result, s.cfg.State.noteResent(o.sent, a.result.Bytes, s.cfg.Clock.Now())
}

// SplitCodes cuts the text of a file, or what was typed, into codes: one a line
// or argument, # begins a comment.
func SplitCodes(text string) (codes []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			codes = append(codes, line)
		}
	}
	return codes
}
