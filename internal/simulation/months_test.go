package simulation

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/geometry"
	"weir/internal/vault"
	"weir/protocol"
	"weir/receiver"
	"weir/sender"
)

// How many there are of them: as many as time allows, and with WEIR_LONG=1 all.
const (
	monthSeeds  = 200
	monthsLong  = 4000
	monthsSpent = 30 * time.Second
)

// daysOf returns how long a seed lasts: one in eight is a month, the others a week.
func daysOf(seed uint64) int {
	if seed%8 == 0 {
		return 31
	}
	return 7
}

// weather is what a link does to frames, and the hosts to the programs.
type weather struct {
	name                   string
	toBad, toGood, badLoss float64       // Gilbert-Elliott
	outageEvery            time.Duration // on average
	outageUpTo             time.Duration
	killEvery              time.Duration // of each side
}

var weathers = []weather{
	{"fair", 0.0005, 0.2, 0.5, 10 * 24 * time.Hour, 2 * time.Hour, 10 * 24 * time.Hour},
	{"rain", 0.002, 0.05, 0.7, 4 * 24 * time.Hour, 12 * time.Hour, 5 * 24 * time.Hour},
	{"storm", 0.004, 0.03, 1, 2 * 24 * time.Hour, 20 * time.Hour, 3 * 24 * time.Hour},
}

// means is by what a snapshot became whole.
type means int

const (
	atOnce means = iota + 1
	byPass
	byCode
)

// tally is what became of the snapshots of a month.
type tally struct {
	sent    int // snapshots that the sender finished
	first   int // whole within ten minutes
	passes  int // healed by passes
	codes   int // healed by repair codes
	broken  int // never finished by the sender, and known to be
	gone    int // what they lack had changed, and the spool does not have it, or not any more
	unkept  int // of those, without a spool
	unnoted int // whole, though the sender was killed before it noted that it had finished them; not in sent
	symbols int // of the longest code
}

func (a *tally) add(b tally) {
	a.sent, a.first, a.passes, a.codes = a.sent+b.sent, a.first+b.first, a.passes+b.passes, a.codes+b.codes
	a.broken, a.gone, a.unkept, a.symbols = a.broken+b.broken, a.gone+b.gone, a.unkept+b.unkept, max(a.symbols, b.symbols)
	a.unnoted += b.unnoted
}

func (a *tally) String() string {
	return fmt.Sprintf("%d snapshots; %d whole at once, %d more by passes, %d by codes of up to %d characters; %d not, as what lacks has changed, %d of them without a spool; %d never finished, %d more whole that the sender was killed over",
		a.sent, a.first, a.passes, a.codes, a.symbols, a.gone, a.unkept, a.broken, a.unnoted)
}

// tellEvery is how often a long run prints what it has so far.
const tellEvery = 5 * time.Minute

// TestMonths runs two hosts for weeks and months: snapshots twice a day over a link that
// loses, outages of hours, both sides killed and started at any time. In the end
// every snapshot that was sent is whole, or becomes so by the code that the vault
// gives for it. WEIR_SEED=N runs that seed alone; WEIR_LONG=1 runs thousands.
func TestMonths(t *testing.T) {
	first, last, within := uint64(1), uint64(monthSeeds), monthsSpent
	if os.Getenv("WEIR_LONG") == "1" {
		last, within = monthsLong, 24*time.Hour
	}
	if text := os.Getenv("WEIR_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("WEIR_SEED=%s is no number", text)
		}
		first, last = n, n
	}
	sums, began := make([]tally, len(weathers)), time.Now()
	told := began
	var next atomic.Uint64
	next.Store(first)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n <= last && (n == first || time.Since(began) < within); n = next.Add(1) - 1 {
				got := seeded(t, n)
				mu.Lock()
				sums[n%uint64(len(weathers))].add(got)
				if time.Since(told) >= tellEvery { // t.Log would keep it to the end
					told = time.Now()
					fmt.Printf("%v, seed %d\n%s", time.Since(began).Round(time.Second), n, spell(sums))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d seeds in %v", min(next.Load()-first, last-first+1), time.Since(began).Round(time.Second))
	t.Logf("by weather:\n%s", spell(sums))
}

// spell writes the tallies, one loss model a line.
func spell(sums []tally) string {
	var b strings.Builder
	for i, w := range weathers {
		if s := &sums[i]; s.sent > 0 {
			fmt.Fprintf(&b, "%s: %v\n", w.name, s)
		}
	}
	return b.String()
}

// seeded runs one of them in a bubble of its own.
func seeded(t *testing.T, n uint64) (got tally) {
	t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
		dir := monthDir(t)
		defer removeTree(dir)
		synctest.Test(t, func(t *testing.T) { got = month(t, n, dir) })
	})
	return got
}

// monthDir makes a directory in memory where there is one: a month syncs often.
func monthDir(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "weir-months-")
	if err != nil {
		dir, err = os.MkdirTemp("", "weir-months-")
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// hosts are the two hosts of a month.
type hosts struct {
	t      *testing.T
	rng    *mrand.Rand // of what people and machines do
	dir    string
	key    hpke.PrivateKey
	signer ed25519.PrivateKey
	spool  sender.SpoolMode
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
	whole   map[string]means
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
		wait := 10 * time.Minute
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
	g, err := geometry.New(rate, overhead, burst, protocol.SymbolMTU1500)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.state, err = sender.OpenState(filepath.Join(h.dir, "sender.state")); err != nil {
		h.t.Fatal(err)
	}
	h.send, err = sender.New(sender.Config{
		Name: "prod", Signer: h.signer, Receiver: h.key.PublicKey(), Rate: rate, Geometry: g, Burst: burst, Heartbeat: time.Hour, Announce: time.Minute,
		Clock: plain{}, Link: h, State: h.state, Scratch: h.dir, Log: zerolog.Nop(),
		Repeat: sender.Repeat{Passes: 3, Spacing: 24 * time.Hour, Spool: h.spool, History: 100},
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

// change writes some files of the source anew, as editors do, by a rename.
func (h *hosts) change(src string) {
	fresh := filepath.Join(h.dir, "fresh")
	tree(h.t, h.rng, fresh)
	files, err := filepath.Glob(filepath.Join(fresh, "*", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, from := range files {
		to := filepath.Join(src, from[len(fresh):])
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(from, to)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// push takes a snapshot, which a kill of the sender may cut short.
func (h *hosts) push(day int) {
	src := filepath.Join(h.dir, "src")
	h.change(src)
	job := sender.Job{Source: "etc", Paths: []string{src}}
	if day%2 == 1 {
		dump := make([]byte, 1+h.rng.IntN(200_000))
		mrand.NewChaCha8([32]byte{byte(day)}).Read(dump)
		job = sender.Job{Source: "db", Stream: bytes.NewReader(dump), As: "db.sql"}
	}
	if h.rng.IntN(10) == 0 { // killed in the midst of it
		s := h.send
		done := make(chan struct{})
		go func() { s.Push(context.Background(), job); close(done) }()
		time.Sleep(time.Duration(h.rng.Int64N(int64(300 * time.Millisecond))))
		h.stopSender(true)
		<-done
		h.startSender()
		return
	}
	if _, err := h.send.Push(h.t.Context(), job); err != nil {
		h.t.Fatal(err)
	}
}

// live lets time pass, with what happens at random in it.
func (h *hosts) live(w *weather, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		step := min(time.Until(end), time.Duration(h.rng.Int64N(int64(2*time.Hour))))
		time.Sleep(step)
		chance := func(every time.Duration) bool { return h.rng.Float64() < float64(step)/float64(every) }
		if chance(w.outageEvery) {
			h.begin(time.Duration(h.rng.Int64N(int64(w.outageUpTo))))
		}
		if chance(w.killEvery) {
			h.stopReceiver(h.rng.IntN(2) == 0)
			time.Sleep(time.Duration(h.rng.Int64N(int64(time.Hour))))
			h.startReceiver()
		}
		if chance(w.killEvery) {
			h.stopSender(h.rng.IntN(2) == 0)
			h.startSender()
		}
	}
}

func (h *hosts) begin(length time.Duration) {
	h.loss.mu.Lock()
	defer h.loss.mu.Unlock()
	h.outage = [2]time.Time{time.Now(), time.Now().Add(length)}
}
