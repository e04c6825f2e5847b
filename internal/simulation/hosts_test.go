package simulation

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/geometry"
	"weir/internal/vault"
	"weir/receiver"
	"weir/sender"
)

// A month's link is slow and its frames are small, so that a snapshot of little
// content is hundreds of frames in several blocks: what a month costs goes by bytes,
// what can go wrong in it by frames.
const (
	monthRate   = 5e6
	monthBurst  = 5 * time.Millisecond
	monthSymbol = 256
)

// hosts are the two hosts of a month.
type hosts struct {
	t      *testing.T
	rng    *mrand.Rand // of what people and machines do
	dir    string
	key    hpke.PrivateKey
	signer ed25519.PrivateKey
	spool  sender.SpoolMode
	pace   pace
	loss   *gilbertElliott
	outage [2]time.Time

	mu     sync.Mutex // of the receiving end
	recv   *receiver.Receiver
	vault  *vault.Vault
	heard  time.Time // the last frame
	lives  int
	ticked chan struct{}

	state   *sender.State
	send    *sender.Sender
	stop    context.CancelFunc
	ran     chan struct{}
	gone    map[string]bool // snapshots of which a code asked for what is to be had no more
	carried map[string]bool // those that a code was carried for
	result  tally
}

// symbolFrame is the kind of frames that carry content. Announces come all the time
// and are nothing to look at the clock for.
const symbolFrame = 2

// Send is the link: a frame arrives at once, or never.
func (h *hosts) Send(frames []byte, size int) error {
	for len(frames) > 0 {
		n := min(size, len(frames))
		if h.loss.pass(nil) {
			h.mu.Lock()
			if h.recv != nil {
				if frames[1] == symbolFrame {
					h.heard = time.Now()
				}
				h.recv.Datagram(frames[:n])
			}
			h.mu.Unlock()
		}
		frames = frames[n:]
	}
	return nil
}

func (h *hosts) startReceiver() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	pub := h.signer.Public().(ed25519.PublicKey)
	var err error
	h.vault, err = vault.Open(filepath.Join(h.dir, "vault"), vault.Options{Log: zerolog.Nop(), Signers: map[string][]ed25519.PublicKey{"prod": {pub}}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.recv, err = receiver.New(receiver.Config{
		Roster: receiver.Roster{Keys: []hpke.PrivateKey{h.key}, Senders: map[string][]ed25519.PublicKey{"prod": {pub}}}, Memory: 8 << 20,
		State: filepath.Join(h.dir, "receiver.state"), Log: zerolog.Nop(), Now: time.Now,
		Sink: sink{&world{t: h.t, vault: h.vault, signer: h.signer}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.ticked = make(chan struct{})
	go h.tick(h.recv, h.ticked)
}

// tick lets the receiver look at the clock, seldom when nothing comes.
func (h *hosts) tick(r *receiver.Receiver, ended chan struct{}) {
	defer close(ended)
	for {
		h.mu.Lock()
		if h.recv != r {
			h.mu.Unlock()
			return
		}
		r.Tick()
		wait := h.pace.every / 6
		if time.Since(h.heard) < 5*time.Second {
			wait = 500 * time.Millisecond
		}
		h.mu.Unlock()
		time.Sleep(wait)
	}
}

// stopReceiver ends the receiver; killed, it leaves what is on the disk at that
// moment: what it would still write it writes to names that are not looked at.
func (h *hosts) stopReceiver(killed bool) {
	h.t.Helper()
	h.mu.Lock()
	r, v := h.recv, h.vault
	h.recv = nil
	h.lives++
	if killed {
		for _, name := range []string{"vault", "receiver.state"} {
			os.Rename(filepath.Join(h.dir, name), filepath.Join(h.dir, name+".kept"))
		}
	}
	h.mu.Unlock()
	rerr, verr := r.Close(), v.Close()
	<-h.ticked
	if !killed {
		if rerr != nil || verr != nil {
			h.t.Fatal(rerr, verr)
		}
		return
	}
	for _, name := range []string{"vault", "receiver.state"} {
		removeTree(filepath.Join(h.dir, name))
		os.Rename(filepath.Join(h.dir, name+".kept"), filepath.Join(h.dir, name))
	}
}

func (h *hosts) startSender() {
	h.t.Helper()
	g, err := geometry.New(monthRate, overhead, monthBurst, monthSymbol)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.state, err = sender.OpenState(filepath.Join(h.dir, "sender.state")); err != nil {
		h.t.Fatal(err)
	}
	h.send, err = sender.New(sender.Config{
		Name: "prod", Signer: h.signer, Receiver: h.key.PublicKey(), Rate: monthRate, Geometry: g, Burst: monthBurst, Heartbeat: h.pace.every, Announce: h.pace.every / 60,
		Clock: plain{}, Link: h, State: h.state, Scratch: h.dir, Log: zerolog.Nop(),
		Repeat: sender.Repeat{Passes: 3, Spacing: 2 * h.pace.every, Spool: h.spool, History: 100},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	h.stop, h.ran = cancel, make(chan struct{})
	go func(s *sender.Sender, ran chan struct{}) {
		defer close(ran)
		done := make(chan struct{})
		go func() { s.Passes(ctx); close(done) }()
		s.Run(ctx) // its error is that of a state that was torn away
		cancel()
		<-done
	}(h.send, h.ran)
}

// stopSender ends the sender; killed, its state is torn away first.
func (h *hosts) stopSender(killed bool) {
	if killed {
		h.state.Close()
	}
	h.stop()
	<-h.ran
	h.state.Close()
}
