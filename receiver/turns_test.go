package receiver

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"weir/protocol"
)

// take takes what comes next, of whichever sender, and has it last that long.
func (t *turns) take(took time.Duration) string {
	j, ok := t.next()
	switch {
	case !ok:
		return "end"
	case j.settle:
		return "settle"
	}
	t.done(j.sender, took)
	return j.sender
}

// TestSendersTakeTurns has one sender queue any number of blocks that take long: one
// of another waits for a single one of them, and what it did not use before it has
// not saved up.
func TestSendersTakeTurns(t *testing.T) {
	q := newTurns()
	for range 8 {
		q.add(job{sender: "slow"})
	}
	got := []string{q.take(time.Second), q.take(time.Second)}
	for range 3 {
		q.add(job{sender: "good"})
	}
	for range 5 {
		got = append(got, q.take(map[string]time.Duration{"slow": time.Second, "good": 600 * time.Millisecond}[q.first().jobs[0].sender]))
	}
	want := 0
	for _, name := range got[2:] {
		if name == "good" {
			want++
		}
	}
	if want != 3 || !slices.Equal(got[:2], []string{"slow", "slow"}) {
		t.Errorf("the order is %v", got)
	}
	if !q.waits("slow") || q.waits("good") || q.waits("nobody") {
		t.Error("who waits is not known")
	}
	q.close()
	for range 4 {
		q.take(0)
	}
	if last := q.take(0); last != "end" {
		t.Errorf("after the last block comes %q", last)
	}
}

// TestBlocksThatCostNothingTakeTurns too.
func TestBlocksThatCostNothingTakeTurns(t *testing.T) {
	q := newTurns()
	for range 100 {
		q.add(job{sender: "a"})
		q.add(job{sender: "b"})
	}
	seen := map[string]int{}
	for range 100 {
		seen[q.take(0)]++
	}
	if seen["a"] != 50 || seen["b"] != 50 {
		t.Errorf("of 100 turns: %v", seen)
	}
}

// TestSettlesAfterWhatWasThere: neither what comes later nor who it is from puts it off,
// and it is done once.
func TestSettlesAfterWhatWasThere(t *testing.T) {
	q := newTurns()
	q.add(job{sender: "a"})
	q.ask(false)
	q.ask(true)
	for range 5 {
		q.add(job{sender: "b"})
	}
	if first, second := q.take(0), q.take(0); first == "settle" || second != "settle" {
		t.Errorf("it comes as %q, %q", first, second)
	}
	for range 5 {
		if got := q.take(0); got == "settle" {
			t.Error("it is done twice")
		}
	}
}

// TestMemoryIsShared: one sender alone has all of it; where others want some, each its share.
func TestMemoryIsShared(t *testing.T) {
	m, now := newMemory(16*minArena), time.Unix(1e9, 0)
	defer m.close()
	held := map[string][][]byte{}
	get := func(sender string, n int) bool {
		arena := m.get(n, sender, now)
		if arena != nil {
			held[sender] = append(held[sender], arena)
		}
		return arena != nil
	}
	put := func(sender string) {
		last := len(held[sender]) - 1
		m.put(held[sender][last], sender)
		held[sender] = held[sender][:last]
	}
	for i := range 16 {
		if !get("a", minArena) {
			t.Fatalf("alone it has %d of 16", i)
		}
	}
	if get("b", minArena) || m.over("b") != "a" {
		t.Fatalf("there is none left, and %q has too much", m.over("b"))
	}
	put("a")
	if get("a", minArena) {
		t.Error("it takes back what another one wants")
	}
	for i := range 8 {
		if i > 0 {
			put("a")
		}
		if !get("b", minArena) {
			t.Fatalf("the other one has %d of 8", i)
		}
	}
	if m.over("b") != "" || get("c", minArena) || m.over("c") == "" {
		t.Errorf("over their share: %q, and %q where a third wants some", m.over("b"), m.over("c"))
	}
	now = now.Add(wantsFor)
	for len(held["b"]) > 0 {
		put("b")
	}
	if !get("a", minArena) {
		t.Error("nobody else wants any, and it has no more than its share")
	}
	for len(held["a"]) > 0 {
		put("a")
	}
	if !get("a", 4*minArena) || !get("b", 12*minArena) {
		t.Error("who holds nothing gets one block of any size")
	}
}

// hand is another sender of a rig.
type hand struct {
	sealer *protocol.Sealer
	block  uint64
}

// second makes another sender trusted and opens a session of it.
func (g *rig) second(name string) *hand {
	g.t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	g.close()
	g.cfg.Senders[name] = []ed25519.PublicKey{pub}
	g.start()
	g.session(2)
	announce, sealer, err := protocol.NewSession(protocol.Params{Sender: name, Counter: 1, Rate: 1e9, Geometry: rigGeometry}, g.key.PublicKey(), key)
	if err != nil {
		g.t.Fatal(err)
	}
	g.r.Datagram(announce)
	return &hand{sealer: sealer}
}

// as lends the rig the other sender's hand.
func (g *rig) as(h *hand, do func()) {
	g.sealer, h.sealer, g.block, h.block = h.sealer, g.sealer, h.block, g.block
	do()
	g.sealer, h.sealer, g.block, h.block = h.sealer, g.sealer, h.block, g.block
}

// TestSenderThatHoldsAllMemory: one in bad hands opens blocks, goes on with each of them
// for ever, and fills none. What another one sends is stored all the same.
func TestSenderThatHoldsAllMemory(t *testing.T) {
	g := newRig(t)
	evil := g.second("evil")
	g.r.memory.budget = 8 * minArena
	var open [][][]byte
	g.as(evil, func() {
		for range 8 {
			open = append(open, g.frames(rigGeometry, g.data(9, 0, content(room(), 9))))
			g.r.Datagram(open[len(open)-1][0])
		}
	})
	if n := g.r.memory.held["evil"]; n != 8*minArena {
		t.Fatalf("it holds %d bytes", n)
	}
	whole := 0
	for i := range 20 {
		for n, frames := range open {
			g.r.Datagram(frames[1+(i+n)%40]) // it keeps them all alive
		}
		g.tick(time.Second)
		id := byte(i + 100)
		frames := g.frames(rigGeometry, g.data(id, 0, content(room(), id)))
		for _, f := range frames {
			g.r.Datagram(f)
			time.Sleep(50 * time.Microsecond) // the worker gets to run
		}
	}
	g.close()
	for id, o := range g.sink.objects {
		if id[0] >= 100 && string(o) == string(content(room(), id[0])) {
			whole++
		}
	}
	if whole < 19 {
		t.Errorf("%d of 20 blocks of the other sender are whole", whole)
	}
}

// slowSink takes long for what one sender sends.
type slowSink struct {
	*memorySink
	slow string
	took time.Duration
	came []string // the senders whose ranges came, in order
}

func (s *slowSink) WriteRange(sender string, c protocol.Context, id protocol.ObjectID, off uint64, p []byte) error {
	if sender == s.slow {
		time.Sleep(s.took)
	}
	s.came = append(s.came, sender)
	return s.memorySink.WriteRange(sender, c, id, off, p)
}

// newSlowRig returns a rig with a second sender, which the sink is slow for.
func newSlowRig(t *testing.T, took time.Duration) (*rig, *slowSink, *hand) {
	g := newRig(t)
	sink := &slowSink{memorySink: g.sink, slow: "evil", took: took}
	g.cfg.Sink = sink
	return g, sink, g.second("evil")
}

// TestSlowSenderDelaysNobody: the blocks of a sender whose content takes long to store
// stand in its own queue.
func TestSlowSenderDelaysNobody(t *testing.T) {
	g, sink, evil := newSlowRig(t, 20*time.Millisecond)
	g.as(evil, func() {
		for i := range 50 {
			g.send(g.frames(rigGeometry, g.data(byte(i), 0, content(room(), 9))))
		}
	})
	g.send(g.frames(rigGeometry, g.data(200, 0, content(room(), 200))))
	g.close()
	// Sealing 50 blocks takes some time, in which the worker has begun.
	if at := slices.Index(sink.came, "prod"); len(sink.came) != 51 || at < 0 || at > 25 {
		t.Errorf("of %d ranges it is the one after %d", len(sink.came), at)
	}
}

// TestBlockOfTinyRecordsTakesTurns: one block that costs many seconds is put aside for
// what others send, and for settling, and is all delivered in the end, in order.
func TestBlockOfTinyRecordsTakesTurns(t *testing.T) {
	const records = 200
	g, sink, evil := newSlowRig(t, 5*time.Millisecond)
	b := protocol.AppendContext(nil, &protocol.Context{Source: "etc", Number: 1})
	for i := range records {
		b = protocol.AppendData(b, &protocol.Data{Object: protocol.ObjectID{1}, Offset: uint64(i), Bytes: []byte{byte(i)}})
	}
	g.as(evil, func() { g.send(g.frames(rigGeometry, b)) })
	for i := range 3 {
		g.send(g.frames(rigGeometry, g.data(byte(100+i), 0, content(room(), 100))))
	}
	g.close()
	last := 0
	for i, name := range sink.came {
		if name == "prod" {
			last = i
		}
	}
	if len(sink.came) != records+3 || last == 0 || last > records/2 {
		t.Errorf("of %d ranges the last of the other sender is the one after %d", len(sink.came), last)
	}
	for i, c := range sink.objects[protocol.ObjectID{1}] {
		if c != byte(i) {
			t.Fatalf("byte %d is %d", i, c)
		}
	}
}
