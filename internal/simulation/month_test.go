package simulation

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	mrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/vault"
	"weir/protocol"
	"weir/sender"
)

// month runs one seed.
func month(t *testing.T, n uint64, dir string) tally {
	w := &weathers[int(n)%len(weathers)]
	h := &hosts{t: t, pace: paceOf(n), rng: mrand.New(mrand.NewPCG(n, 3)), dir: dir, gone: map[string]bool{}, carried: map[string]bool{}}
	h.spool = []sender.SpoolMode{sender.SpoolCopy, sender.SpoolCopy, sender.SpoolLink, sender.SpoolNone}[h.rng.IntN(4)]
	var err error
	if h.key, err = protocol.KEM().GenerateKey(); err != nil {
		t.Fatal(err)
	}
	if _, h.signer, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	h.loss = &gilbertElliott{rng: mrand.New(mrand.NewPCG(n, 4)), toBad: w.toBad, toGood: w.toGood, badLoss: w.badLoss}
	h.loss.out = func() bool { now := time.Now(); return now.After(h.outage[0]) && now.Before(h.outage[1]) }
	h.startReceiver()
	h.startSender()
	for i := range h.pace.snapshots {
		if h.rng.IntN(8) == 0 { // an outage begins with the snapshot, or in it
			length := h.upTo(w.outageUpTo)
			time.AfterFunc(time.Duration(h.rng.Int64N(int64(100*time.Millisecond))), func() { h.begin(length) })
		}
		h.push(i)
		h.live(w, h.pace.every)
		h.operate(h.pace.every * 3 / 2)
	}
	time.Sleep(5 * h.pace.every) // the last passes, the last heartbeats
	h.settleAccounts()
	h.stopSender(false)
	h.stopReceiver(false)
	h.verify()
	return h.result
}

func (h *hosts) list() []vault.Info {
	h.t.Helper()
	all, err := vault.List(filepath.Join(h.dir, "vault"))
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h *hosts) found(i vault.Info) vault.Found {
	h.t.Helper()
	f, err := vault.Lookup(filepath.Join(h.dir, "vault"), i)
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

// by tells by what a restore point became whole.
func (h *hosts) by(i *vault.Info) means {
	switch {
	case i.Received.Sub(i.Taken) < h.pace.every/12:
		return atOnce
	case h.carried[i.Snapshot().Ref()]:
		return byCode
	}
	return byPass
}

// operate has an operator carry codes for what has not been whole for so long,
// unless the link is down, which the operator sees.
func (h *hosts) operate(age time.Duration) {
	if h.loss.out() {
		return
	}
	all, _ := h.lacking(age)
	if len(all) > 0 {
		h.carry(all)
		time.Sleep(2 * time.Minute)
	}
}

func (h *hosts) sent() []sender.Remembered {
	h.t.Helper()
	o, err := h.send.Overview()
	if err != nil {
		h.t.Fatal(err)
	}
	return o.Snapshots
}

// lacking returns the snapshots of that age that are not whole, and how many of them
// the sender finished and can send.
func (h *hosts) lacking(age time.Duration) (all []vault.Found, finished int) {
	h.t.Helper()
	var open []vault.Info
	for _, i := range h.list() {
		if i.State != vault.Whole {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return nil, 0
	}
	sent := map[string]bool{}
	for _, s := range h.sent() {
		sent[s.Snapshot] = true
	}
	for _, i := range open {
		ref := i.Snapshot().Ref()
		if i.State == vault.Abandoned {
			if sent[ref] {
				h.t.Errorf("%s was finished and counts as abandoned", ref)
			}
			continue
		}
		if time.Since(i.Taken) < age {
			continue
		}
		all = append(all, h.found(i))
		if sent[ref] && !h.gone[ref] {
			finished++
		}
	}
	return all, finished
}

// rounds is how often the operator may carry a code: what answers it crosses the
// same link.
const rounds = 8

// settleAccounts has an operator carry codes until every snapshot is whole that
// was sent.
func (h *hosts) settleAccounts() {
	h.t.Helper()
	h.result.sent = len(h.sent())
	known := h.list()
	for _, s := range h.sent() {
		if !slices.ContainsFunc(known, func(i vault.Info) bool { return i.Snapshot().Ref() == s.Snapshot }) {
			h.t.Errorf("%s was sent, and the vault does not know of it", s.Snapshot)
		}
	}
	for range rounds {
		if _, finished := h.lacking(0); finished == 0 {
			break
		}
		h.operate(0)
	}
	all, after := h.lacking(0)
	for _, f := range all {
		if after > 0 {
			h.t.Errorf("%s is not whole, and no code makes it so: %+v", f.Ref(), f.Info)
		}
		if h.gone[f.Ref()] {
			h.result.gone++
			if h.spool == sender.SpoolNone {
				h.result.unkept++
			}
		} else if after == 0 {
			h.t.Errorf("%s was never finished, and the vault waits for it: %+v", f.Ref(), f.Info)
		}
	}
	h.count()
}

// count adds up by what the snapshots became whole.
func (h *hosts) count() {
	h.t.Helper()
	by := map[means]int{}
	for _, i := range h.list() {
		switch i.State {
		case vault.Whole:
			by[h.by(&i)]++
		case vault.Abandoned:
			h.result.broken++
		}
	}
	r := &h.result
	r.first, r.passes, r.codes = by[atOnce], by[byPass], by[byCode]
	if r.first+r.passes+r.codes+r.gone != r.sent {
		h.t.Errorf("the tally does not add up: %+v", *r)
	}
}

// carry types the codes of the vault at the sender.
func (h *hosts) carry(all []vault.Found) {
	h.t.Helper()
	codes, err := vault.Repairs(filepath.Join(h.dir, "vault"), all, vault.Typed)
	if err != nil || len(codes) != 1 || codes[0].Code == "" {
		h.t.Fatalf("%v %+v", err, codes)
	}
	h.result.symbols = max(h.result.symbols, len(codes[0].Code))
	plan, err := h.send.Plan(context.Background(), []string{codes[0].Code}, false)
	if errors.Is(err, sender.ErrOtherCode) {
		h.t.Fatalf("the sender does not know its own: %s for %v", codes[0].Code, codes[0].Snapshots)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	sent, err := h.send.Resend(context.Background(), plan, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range all {
		h.carried[f.Ref()] = true
	}
	for _, a := range sent {
		if a.Gone == 0 {
			continue
		}
		h.gone["prod/"+a.Snapshot] = true
		if h.kept(a) {
			h.t.Errorf("%s: %d files are to be had no more, though the spool keeps them (%s): %q", a.Snapshot, a.Gone, h.spool, a.GoneFiles)
		}
	}
}

// kept reports whether the spool keeps what the snapshot sent from every change that
// happens here.
func (h *hosts) kept(a *sender.Again) bool {
	stream := strings.HasPrefix(a.Snapshot, "db/")
	return h.spool == sender.SpoolCopy || h.spool == sender.SpoolLink && !stream
}

// verify reads every restore point again.
func (h *hosts) verify() {
	h.t.Helper()
	dir := filepath.Join(h.dir, "vault")
	for _, i := range h.list() {
		if i.State != vault.Whole {
			continue
		}
		if r, err := vault.Verify(context.Background(), dir, h.found(i), nil); err != nil || len(r.Findings) > 0 {
			h.t.Errorf("%s: %v %v", i.Name, r.Findings, err)
		}
	}
}
