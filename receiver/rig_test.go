package receiver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/fec"
	"weir/protocol"
)

// memorySink is a Sink that remembers everything.
type memorySink struct {
	mu         sync.Mutex
	objects    map[protocol.ObjectID][]byte
	written    map[protocol.ObjectID][]protocol.Range
	ends       []protocol.End
	manifests  []protocol.Manifest
	heartbeats []protocol.Heartbeat
	abandoned  []protocol.Context
	contexts   map[string]int
	stall      chan struct{}
}

func newMemorySink() *memorySink {
	return &memorySink{objects: map[protocol.ObjectID][]byte{}, written: map[protocol.ObjectID][]protocol.Range{}, contexts: map[string]int{}}
}

func (m *memorySink) Touch(sender string, c protocol.Context) error {
	if m.stall != nil {
		<-m.stall
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contexts[fmt.Sprintf("%s/%s@%d", sender, c.Source, c.Number)]++
	return nil
}

func (m *memorySink) WriteRange(_ string, _ protocol.Context, id protocol.ObjectID, off uint64, p []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[id]
	if need := int(off) + len(p); need > len(o) {
		o = append(o, make([]byte, need-len(o))...)
	}
	copy(o[off:], p)
	m.objects[id] = o
	m.written[id] = append(m.written[id], protocol.Range{Offset: off, Length: uint64(len(p))})
	return nil
}

func (m *memorySink) EndObject(_ string, _ protocol.Context, e protocol.End) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends = append(m.ends, e)
	return nil
}

func (m *memorySink) CloseSnapshot(_ string, _ protocol.Context, x protocol.Manifest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.manifests = append(m.manifests, x)
	return nil
}

func (m *memorySink) Abandoned(_ string, a protocol.Abandoned) error {
	m.abandoned = append(m.abandoned, a.Snapshots...)
	return nil
}

func (m *memorySink) Heartbeat(_ string, hb protocol.Heartbeat) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heartbeats = append(m.heartbeats, hb)
	return nil
}

func (m *memorySink) Settle(bool) error { return nil }

// rig is a receiver with one trusted sender, and that sender's hand.
type rig struct {
	t        testing.TB
	key      hpke.PrivateKey
	signer   ed25519.PrivateKey
	sink     *memorySink
	cfg      Config
	mu       sync.Mutex
	now      time.Time
	r        *Receiver
	announce []byte
	sealer   *protocol.Sealer
	block    uint64
}

var rigGeometry = protocol.Geometry{K: 20, M: 4, Depth: 4, Symbol: 128}

func newRig(t testing.TB) *rig {
	t.Helper()
	key, err := protocol.KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, key: key, signer: signer, sink: newMemorySink(), now: time.Unix(1e9, 0)}
	g.cfg = Config{
		Roster: Roster{Keys: []hpke.PrivateKey{key}, Senders: map[string][]ed25519.PublicKey{"prod": {pub}}}, Memory: 64 << 20,
		State: filepath.Join(t.TempDir(), "state"), Log: zerolog.Nop(), Now: g.clock, Sink: g.sink,
	}
	g.start()
	g.session(1)
	return g
}

func (g *rig) start() {
	g.t.Helper()
	r, err := New(g.cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	g.r = r
}

// session opens a new session with the counter and announces it.
func (g *rig) session(counter uint64) {
	g.t.Helper()
	g.announce, g.sealer = g.newSession(counter, rigGeometry)
	g.block = 0
	g.r.Datagram(g.announce)
}

func (g *rig) newAnnounce(counter uint64, geo protocol.Geometry) []byte {
	announce, _ := g.newSession(counter, geo)
	return announce
}

func (g *rig) newSession(counter uint64, geo protocol.Geometry) ([]byte, *protocol.Sealer) {
	g.t.Helper()
	p := protocol.Params{Sender: "prod", Counter: counter, Rate: 1e9, Geometry: geo}
	announce, sealer, err := protocol.NewSession(p, g.key.PublicKey(), g.signer)
	if err != nil {
		g.t.Fatal(err)
	}
	return announce, sealer
}

func (g *rig) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *rig) tick(d time.Duration) {
	g.mu.Lock()
	g.now = g.now.Add(d)
	g.mu.Unlock()
	g.r.Tick()
}

func (g *rig) close() {
	g.t.Helper()
	if err := g.r.Close(); err != nil {
		g.t.Fatal(err)
	}
}

// frames seals a block of the records.
func (g *rig) frames(geo protocol.Geometry, records []byte) [][]byte {
	g.t.Helper()
	if len(records) > geo.DataBytes() {
		g.t.Fatalf("%d bytes of records in a block of %d", len(records), geo.DataBytes())
	}
	buf := make([]byte, geo.BlockBytes())
	copy(buf, records)
	code, err := fec.New(geo.K, geo.M)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := code.Encode(buf[:geo.DataBytes()], buf[geo.DataBytes():], geo.Shard()); err != nil {
		g.t.Fatal(err)
	}
	g.block++
	var out [][]byte
	for i := range geo.Symbols() {
		h := protocol.Header{Block: g.block, Shard: i / geo.Depth, Column: i % geo.Depth, Geometry: geo, Length: uint32(len(records))}
		out = append(out, g.sealer.Seal(nil, &h, buf[i*geo.Symbol:(i+1)*geo.Symbol]))
	}
	return out
}

// data is the records of a block that is full of one object.
func (g *rig) data(id byte, off uint64, content []byte) []byte {
	b := protocol.AppendContext(nil, &protocol.Context{Source: "etc", Number: 1})
	return protocol.AppendData(b, &protocol.Data{Object: protocol.ObjectID{id}, Offset: off, Bytes: content})
}

func (g *rig) send(frames [][]byte) {
	for _, f := range frames {
		g.r.Datagram(f)
	}
}

// room is how much content fills a block of the rig's geometry.
func room() int {
	c := protocol.Context{Source: "etc", Number: 1}
	return rigGeometry.DataBytes() - protocol.ContextSize(&c) - protocol.DataHeaderSize
}

func content(n int, seed byte) []byte {
	return bytes.Repeat([]byte{seed, seed + 1, seed + 2, 0, 255}, n/5+1)[:n]
}
