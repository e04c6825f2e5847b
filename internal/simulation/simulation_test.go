// Package simulation runs the real sender, receiver and vault over a simulated
// network, in simulated time: hours of a link in seconds, the same for the same
// seed.
package simulation

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v3"
	"github.com/pion/transport/v3/vnet"
	"github.com/rs/zerolog"

	"weir/internal/geometry"
	"weir/internal/vault"
	"weir/protocol"
	"weir/receiver"
	"weir/sender"
)

var seed = flag.Uint64("seed", 0, "run this seed alone")

const (
	seeds    = 5 // a run takes about two seconds
	rate     = 50e6
	burst    = 20 * time.Millisecond
	overhead = 0.1
)

// plain is a clock that synctest fakes.
type plain struct{}

func (plain) Now() time.Time        { return time.Now() }
func (plain) Sleep(d time.Duration) { time.Sleep(d) }

// gilbertElliott loses frames in bursts: a good state that loses little and a bad
// one that loses much (Gilbert 1960, Elliott 1963).
type gilbertElliott struct {
	mu      sync.Mutex
	rng     *mrand.Rand
	bad     bool
	toBad   float64
	toGood  float64
	badLoss float64
	out     func() bool // a whole outage is on
}

func (g *gilbertElliott) pass(vnet.Chunk) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bad && g.rng.Float64() < g.toGood || !g.bad && g.rng.Float64() < g.toBad {
		g.bad = !g.bad
	}
	return !g.out() && !(g.bad && g.rng.Float64() < g.badLoss)
}

// wire sends frames one by one into the simulated network.
type wire struct{ conn net.Conn }

func (w wire) Send(frames []byte, size int) error {
	for len(frames) > 0 {
		n := min(size, len(frames))
		if _, err := w.conn.Write(frames[:n]); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

// world is a sender and a vault with a network between them.
type world struct {
	t         *testing.T
	dir       string
	recv      *receiver.Receiver
	vault     *vault.Vault
	key       hpke.PrivateKey
	signer    ed25519.PrivateKey
	rx        transport.UDPConn
	stop      chan struct{}
	stopped   chan struct{}
	outage    [2]time.Time
	published int
}

// sink hands on to the vault, as weir-recv does.
type sink struct{ w *world }

func (s sink) snapshot(c protocol.Context) vault.Snapshot {
	return vault.Snapshot{Sender: "prod", Source: c.Source, Number: c.Number, Taken: time.Unix(0, c.Taken).UTC()}
}

func (s sink) Touch(_ string, c protocol.Context) error { return s.w.vault.Touch(s.snapshot(c)) }

func (s sink) WriteRange(_ string, c protocol.Context, id protocol.ObjectID, off uint64, p []byte) error {
	return s.w.vault.WriteRange(s.snapshot(c), vault.ObjectID(id), int64(off), p)
}

func (s sink) EndObject(_ string, c protocol.Context, e protocol.End) error {
	return s.w.vault.EndObject(s.snapshot(c), vault.ObjectID(e.Object), int64(e.Size), vault.Hash(e.SHA256), nil)
}

func (s sink) CloseSnapshot(_ string, c protocol.Context, m protocol.Manifest) error {
	return s.w.vault.CloseSnapshot(s.snapshot(c), vault.ManifestRef{
		Object: vault.ObjectID(m.Object), ObjectSize: int64(m.ObjectSize), Size: int64(m.Size), SHA256: vault.Hash(m.SHA256),
		Previous: vault.Hash(m.Previous), Signature: m.Signature, PublicKey: s.w.signer.Public().(ed25519.PublicKey),
	})
}

func (s sink) Abandoned(_ string, a protocol.Abandoned) error {
	for _, c := range a.Snapshots {
		if err := s.w.vault.Abandoned(s.snapshot(c)); err != nil {
			return err
		}
	}
	return nil
}

func (s sink) Heartbeat(_ string, hb protocol.Heartbeat) error {
	for _, src := range hb.Sources {
		c := protocol.Context{Source: src.Source, Number: src.Number, Taken: src.Taken}
		if err := s.w.vault.Announced(s.snapshot(c)); err != nil {
			return err
		}
	}
	return nil
}

func (s sink) Settle(quiet bool) error { return s.w.vault.Settle(quiet) }

// network makes the one-way path and returns its two ends.
func (w *world) network(loss *gilbertElliott) net.Conn {
	w.t.Helper()
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.77.0.0/24", QueueSize: 1 << 16, LoggerFactory: quiet})
	if err != nil {
		w.t.Fatal(err)
	}
	router.AddChunkFilter(loss.pass)
	ends := make([]*vnet.Net, 2)
	for i := range ends {
		if ends[i], err = vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("10.77.0.%d", i+1)}}); err != nil {
			w.t.Fatal(err)
		}
		if err := router.AddNet(ends[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := router.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { router.Stop() })
	to := &net.UDPAddr{IP: net.IPv4(10, 77, 0, 2), Port: 4600}
	if w.rx, err = ends[1].ListenUDP("udp4", to); err != nil {
		w.t.Fatal(err)
	}
	conn, err := ends[0].DialUDP("udp4", nil, to)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// start starts receiver and vault, as after a boot.
func (w *world) start() {
	w.t.Helper()
	pub := w.signer.Public().(ed25519.PublicKey)
	var err error
	w.vault, err = vault.Open(filepath.Join(w.dir, "vault"), vault.Options{
		Log: zerolog.Nop(), Signers: map[string][]ed25519.PublicKey{"prod": {pub}}, OnPublish: func(vault.Info) { w.published++ },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.recv, err = receiver.New(receiver.Config{
		Roster: receiver.Roster{Keys: []hpke.PrivateKey{w.key}, Senders: map[string][]ed25519.PublicKey{"prod": {pub}}}, Memory: 64 << 20,
		State: filepath.Join(w.dir, "receiver.state"), Log: zerolog.Nop(), Now: time.Now, Sink: sink{w},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop, w.stopped = make(chan struct{}), make(chan struct{})
	go w.receive()
}

func (w *world) receive() {
	defer close(w.stopped)
	buf := make([]byte, 2048)
	for {
		select {
		case <-w.stop:
			return
		default:
		}
		w.rx.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _, err := w.rx.ReadFrom(buf)
		if err == nil {
			w.recv.Datagram(buf[:n])
		} else {
			w.recv.Tick()
		}
	}
}

func (w *world) end() {
	w.t.Helper()
	close(w.stop)
	<-w.stopped
	if err := w.recv.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.vault.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// tree makes a source of random files of less than most bytes, and changes some of
// them the next time.
func tree(t *testing.T, rng *mrand.Rand, dir string, files, most int) {
	t.Helper()
	content := mrand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), rng.Uint64())))
	for i := range files {
		if rng.IntN(3) == 0 {
			continue
		}
		b := make([]byte, rng.IntN(most))
		content.Read(b)
		path := filepath.Join(dir, fmt.Sprint(i%7), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEverythingBecomesWhole runs snapshots over a link with bursts of loss, hours
// apart, with an outage over one of them and restarts of the receiver. In the end
// every snapshot is whole, or it is listed as not whole, and one more push makes
// it so.
func TestEverythingBecomesWhole(t *testing.T) {
	first, last := uint64(1), uint64(seeds)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "weir-simulation-")
			if err != nil {
				t.Fatal(err)
			}
			defer removeTree(dir)
			synctest.Test(t, func(t *testing.T) { simulate(t, n, dir) })
		})
	}
}

func removeTree(dir string) {
	filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	os.RemoveAll(dir)
}

func simulate(t *testing.T, n uint64, dir string) {
	rng := mrand.New(mrand.NewPCG(n, 1))
	w := &world{t: t, dir: dir}
	var err error
	if w.key, err = protocol.KEM().GenerateKey(); err != nil {
		t.Fatal(err)
	}
	if _, w.signer, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	loss := &gilbertElliott{rng: mrand.New(mrand.NewPCG(n, 2)), toBad: 0.001, toGood: 0.1, badLoss: 0.5}
	loss.out = func() bool { now := time.Now(); return now.After(w.outage[0]) && now.Before(w.outage[1]) }
	conn := w.network(loss)
	state, err := sender.OpenState(filepath.Join(dir, "sender.state"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := geometry.New(rate, overhead, burst, protocol.SymbolMTU1500)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(sender.Config{
		Name: "prod", Signer: w.signer, Receiver: w.key.PublicKey(), Rate: rate, Geometry: g, Burst: burst, Heartbeat: 10 * time.Second,
		Clock: plain{}, Link: wire{conn}, State: state, Scratch: dir, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w.start()
	w.run(rng, s)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.end()
	if err := state.Close(); err != nil {
		t.Error(err)
	}
	w.rx.Close()
	conn.Close()
	w.check()
}

// run takes five snapshots, an hour apart, with trouble, and then one of all.
func (w *world) run(rng *mrand.Rand, s *sender.Sender) {
	src := filepath.Join(w.dir, "src")
	push := func(all bool) {
		time.Sleep(time.Second) // versions of the present clock tick are sent again
		if _, err := s.Push(w.t.Context(), sender.Job{Source: "etc", Paths: []string{src}, All: all}); err != nil {
			w.t.Fatal(err)
		}
	}
	for i := range 5 {
		tree(w.t, rng, src, 40, 60000)
		if i == 2 { // over the whole of the snapshot, or a part
			at := time.Now().Add(time.Second + time.Duration(rng.Int64N(int64(400*time.Millisecond))))
			w.outage = [2]time.Time{at, at.Add(time.Duration(rng.Int64N(int64(time.Minute))))}
		}
		push(false)
		if rng.IntN(2) == 0 {
			time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
			w.end()
			w.start()
		}
		time.Sleep(time.Hour)
	}
	push(true)
	time.Sleep(time.Minute)
}

// check holds that the last snapshot is whole, and every one that is listed as
// whole is good.
func (w *world) check() {
	dir := filepath.Join(w.dir, "vault")
	all, err := vault.List(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(all) != 6 {
		w.t.Errorf("%d of 6 snapshots are known of", len(all))
	}
	whole := 0
	for i, p := range all {
		if p.State != vault.Whole {
			if i == len(all)-1 {
				w.t.Errorf("%s, which sent everything, is not whole: %+v", p.Name, p)
			}
			continue
		}
		whole++
		f, err := vault.Find(dir, p.Snapshot().Ref())
		if err != nil {
			w.t.Fatal(err)
		}
		if r, err := vault.Verify(context.Background(), dir, f, nil); err != nil || len(r.Findings) > 0 {
			w.t.Errorf("%s: %v %v", p.Name, r.Findings, err)
		}
	}
	if whole != w.published {
		w.t.Errorf("%d were reported as whole, %d are", w.published, whole)
	}
}
