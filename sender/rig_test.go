package sender

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/fec"
	"weir/protocol"
)

// plain is a clock that synctest can fake, set off by shift.
type plain struct{ shift time.Duration }

func (c plain) Now() time.Time      { return time.Now().Add(c.shift) }
func (plain) Sleep(d time.Duration) { time.Sleep(d) }

// small is a geometry with blocks of 57 KiB, so that little data makes many.
var small = protocol.Geometry{K: 10, M: 2, Depth: 4, Symbol: protocol.SymbolMTU1500}

// rig is a sender whose link ends in a receiver that checks every rule of the
// wire and keeps what came.
type rig struct {
	t   *testing.T
	cfg Config
	*Sender
	*memoryLink
	stopRun context.CancelFunc
	ran     chan error
	tune    func(*transmitter) // before Run
}

type rigOption func(*Config)

// newRig starts a sender with state in a fresh directory.
func newRig(t *testing.T, options ...rigOption) *rig {
	t.Helper()
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := protocol.KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := &rig{t: t, memoryLink: newMemoryLink(t, key, signer)}
	r.cfg = Config{
		Name: "prod", Signer: signer, Receiver: key.PublicKey(), Rate: 10e9, Geometry: small,
		Burst: 5 * time.Millisecond, Heartbeat: time.Hour, Clock: plain{}, Link: r.memoryLink,
		State: openState(t, filepath.Join(dir, "state")), Scratch: dir, Tool: "test", Log: zerolog.Nop(),
	}
	for _, o := range options {
		o(&r.cfg)
	}
	r.start()
	t.Cleanup(func() {
		r.stop()
		r.cfg.State.Close()
	})
	return r
}

func openState(t *testing.T, path string) *State {
	t.Helper()
	s, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *rig) start() {
	r.t.Helper()
	s, err := New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.tune != nil {
		r.tune(s.t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.Sender, r.stopRun, r.ran = s, cancel, make(chan error, 1)
	go func() { r.ran <- s.Run(ctx) }()
}

// stop ends Run; a second call does nothing.
func (r *rig) stop() {
	r.t.Helper()
	if r.ran == nil {
		return
	}
	r.stopRun()
	if err := <-r.ran; err != nil {
		r.t.Errorf("Run: %v", err)
	}
	r.ran = nil
}

// push sends one snapshot and returns what of it came out of the link.
func (r *rig) push(job Job) (Result, *received) {
	r.t.Helper()
	if job.Source == "" {
		job.Source = "src"
	}
	r.reset()
	res, err := r.Push(r.t.Context(), job)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, r.snapshot(&res)
}

// sentObject is an object as the link carried it.
type sentObject struct {
	data []byte
	at   map[uint64]int // lengths of Data by offset
	got  int64
	end  *protocol.End
}

// sentBlock is one block with its records.
type sentBlock struct {
	protocol.Header
	at    time.Time
	kinds []protocol.RecordKind
	data  []byte
}

// memoryLink is a Link that loses nothing. It fails the test for each breach of
// the protocol.
type memoryLink struct {
	t       *testing.T
	key     hpke.PrivateKey
	signer  ed25519.PrivateKey
	mu      sync.Mutex
	hook    func(h *protocol.Header) // called for each symbol frame
	fail    error                    // what Send returns
	discard bool                     // keep no content

	sessions  map[protocol.SessionID]*inSession
	announces []inAnnounce
	block     sentBlock
	blocks    []sentBlock
	objects   map[protocol.ObjectID]*sentObject
	manifests []protocol.Manifest
	beats     []protocol.Heartbeat
	changes   []protocol.KeyChange
	abandoned []protocol.Context
	codes     map[[2]int]*fec.Code
}

type inAnnounce struct {
	at      time.Time
	session protocol.SessionID
	params  protocol.Params
}

type inSession struct {
	frame           []byte
	params          protocol.Params
	opener          *protocol.Opener
	sequence, block uint64
}

func newMemoryLink(t *testing.T, key hpke.PrivateKey, signer ed25519.PrivateKey) *memoryLink {
	return &memoryLink{
		t: t, key: key, signer: signer, sessions: map[protocol.SessionID]*inSession{},
		objects: map[protocol.ObjectID]*sentObject{}, codes: map[[2]int]*fec.Code{},
	}
}

// reset forgets what came, except sessions and their numbers.
func (l *memoryLink) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks, l.manifests, l.beats, l.announces = nil, nil, nil, nil
	l.objects = map[protocol.ObjectID]*sentObject{}
}

func (l *memoryLink) Send(frames []byte, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for len(frames) > 0 {
		n := min(size, len(frames))
		kind, id, err := protocol.FrameKindOf(frames[:n])
		switch {
		case err != nil:
			l.t.Errorf("frame: %v", err)
		case kind == protocol.FrameAnnounce:
			l.announce(id, frames[:n])
		default:
			l.symbol(l.sessions[id], frames[:n])
		}
		frames = frames[n:]
	}
	return nil
}

func (l *memoryLink) announce(id protocol.SessionID, frame []byte) {
	s := l.sessions[id]
	if s == nil {
		a, err := protocol.ParseAnnounce(frame)
		if err != nil || !a.Verify(l.signer.Public().(ed25519.PublicKey)) {
			l.t.Fatalf("announce: %v", err)
		}
		s = &inSession{frame: bytes.Clone(frame)}
		if s.params, s.opener, err = a.Open(l.key); err != nil {
			l.t.Fatalf("announce: %v", err)
		}
		for _, old := range l.sessions {
			if old.params.Counter >= s.params.Counter {
				l.t.Errorf("counter %d after %d", s.params.Counter, old.params.Counter)
			}
		}
		l.sessions[id] = s
	}
	if !bytes.Equal(frame, s.frame) {
		l.t.Error("an announce was repeated with other bytes")
	}
	l.announces = append(l.announces, inAnnounce{time.Now(), id, s.params})
}

func (l *memoryLink) symbol(s *inSession, frame []byte) {
	var h protocol.Header
	if err := protocol.ParseHeader(frame, &h); err != nil || s == nil {
		l.t.Fatalf("symbol: %v, session announced: %v", err, s != nil)
	}
	if h.Sequence != s.sequence+1 {
		l.t.Errorf("sequence %d after %d", h.Sequence, s.sequence)
	}
	s.sequence = h.Sequence
	if h.Index() == 0 {
		if h.Block != s.block+1 {
			l.t.Errorf("block %d after %d", h.Block, s.block)
		}
		s.block = h.Block
		l.block = sentBlock{Header: h, at: time.Now(), data: make([]byte, h.BlockBytes())}
	}
	if b := &l.block; h.Block != b.Block || h.Geometry != b.Geometry || h.Length != b.Length || !h.Within(s.params.Geometry) {
		l.t.Errorf("%+v does not fit the block %+v", h, b.Header)
	}
	if err := s.opener.Open(l.block.data[h.Index()*h.Symbol:], frame); err != nil {
		l.t.Errorf("symbol: %v", err)
	}
	if h.Index() == h.Symbols()-1 {
		l.finish()
	}
	if l.hook != nil {
		l.hook(&h)
	}
}

// finish checks the parity of a block and takes its records.
func (l *memoryLink) finish() {
	b := &l.block
	code, err := cachedCode(l.codes, b.Geometry)
	if err != nil {
		l.t.Fatal(err)
	}
	parity := make([]byte, b.ParityBytes())
	if err := code.Encode(b.data[:b.DataBytes()], parity, b.Geometry.Shard()); err != nil || !bytes.Equal(parity, b.data[b.DataBytes():]) {
		l.t.Errorf("block %d: the parity is wrong: %v", b.Block, err)
	}
	for _, c := range b.data[b.Length:b.DataBytes()] {
		if c != 0 {
			l.t.Fatal("padding is not zero")
		}
	}
	b.data = b.data[:b.Length]
	for rest := b.data; ; {
		kind, body, next, err := protocol.NextRecord(rest)
		if err == io.EOF {
			break
		}
		if err == nil {
			b.kinds = append(b.kinds, kind)
			err = l.record(kind, body)
		}
		if err != nil {
			l.t.Fatalf("block %d: %v", b.Block, err)
		}
		rest = next
	}
	if beat := len(b.kinds) == 1 && standsAlone(b.kinds[0]); !beat && b.kinds[0] != protocol.RecordContext {
		l.t.Errorf("block %d begins with a record of kind %d", b.Block, b.kinds[0])
	}
	if l.discard {
		b.data = nil
	}
	l.blocks = append(l.blocks, *b)
}

func (l *memoryLink) object(id protocol.ObjectID) *sentObject {
	if l.objects[id] == nil {
		l.objects[id] = &sentObject{}
	}
	return l.objects[id]
}

func (l *memoryLink) record(kind protocol.RecordKind, body []byte) error {
	switch kind {
	case protocol.RecordContext:
		_, err := protocol.ParseContext(body)
		return err
	case protocol.RecordData:
		d, err := protocol.ParseData(body)
		if err == nil {
			l.data(l.object(d.Object), &d)
		}
		return err
	case protocol.RecordCompressed:
		c, err := protocol.ParseCompressed(body)
		if err == nil {
			l.compressed(&c)
		}
		return err
	case protocol.RecordFiller:
		if len(bytes.Trim(body, "\x00")) > 0 {
			l.t.Error("a filler says something")
		}
		return nil
	case protocol.RecordEnd:
		e, err := protocol.ParseEnd(body)
		if o := l.object(e.Object); o.end != nil && o.end.SHA256 != e.SHA256 {
			l.t.Errorf("object %s ends as two contents", e.Object)
		}
		l.object(e.Object).end = &e
		return err
	case protocol.RecordManifest:
		m, err := protocol.ParseManifest(body)
		l.manifests = append(l.manifests, m)
		return err
	case protocol.RecordHeartbeat:
		h, err := protocol.ParseHeartbeat(body)
		l.beats = append(l.beats, h)
		return err
	case protocol.RecordAbandoned:
		a, err := protocol.ParseAbandoned(body)
		l.abandoned = append(l.abandoned, a.Snapshots...)
		return err
	case protocol.RecordKeyChange:
		c, err := protocol.ParseKeyChange(body)
		l.changes = append(l.changes, c)
		return err
	}
	l.t.Errorf("record of kind %d", kind)
	return nil
}

func (l *memoryLink) data(o *sentObject, d *protocol.Data) {
	if at := cap(l.block.data) - cap(d.Bytes); len(d.Bytes) >= alignFrom && at%protocol.SymbolAlign != 0 {
		l.t.Errorf("%d bytes of data lie at %d of the block", len(d.Bytes), at)
	}
	if d.Offset%alignment != 0 {
		l.t.Errorf("data at %d: not a multiple of %d", d.Offset, alignment)
	}
	if o.at == nil {
		o.at = map[uint64]int{}
	}
	if o.at[d.Offset] == 0 { // the tail comes twice
		o.got += int64(len(d.Bytes))
	}
	o.at[d.Offset] = len(d.Bytes)
	if l.discard {
		return
	}
	if end := int(d.Offset) + len(d.Bytes); end > len(o.data) {
		o.data = append(o.data, make([]byte, end-len(o.data))...)
	}
	copy(o.data[d.Offset:], d.Bytes)
}

// content returns what a receiver rebuilds of an object, after it checked it.
func (l *memoryLink) content(id protocol.ObjectID) []byte {
	l.t.Helper()
	o := l.objects[id]
	if o == nil || o.end == nil {
		l.t.Fatalf("object %s did not come, or has no end", id)
	}
	got := make([]byte, o.end.Size)
	copy(got, o.data)
	if sha256.Sum256(got) != o.end.SHA256 {
		l.t.Errorf("object %s is damaged", id)
	}
	return got
}
