package protocol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"io"
	"reflect"
	"testing"
)

var testGeometry = Geometry{K: 20, M: 4, Depth: 3, Symbol: 128}

// pair makes a session between fresh keys and both of its ends.
func pair(t testing.TB) (announce []byte, s *Sealer, o *Opener) {
	t.Helper()
	key, err := KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := Params{Sender: "prod", Counter: 7, Start: -5, Rate: 9e8, Geometry: testGeometry}
	announce, s, err = NewSession(p, key.PublicKey(), priv)
	if err != nil {
		t.Fatal(err)
	}
	return announce, s, openSession(t, announce, key, pub, p)
}

func openSession(t testing.TB, announce []byte, key hpke.PrivateKey, pub ed25519.PublicKey, want Params) *Opener {
	t.Helper()
	a, err := ParseAnnounce(announce)
	if err != nil {
		t.Fatal(err)
	}
	if a.Key != NewKeyID(pub) || !a.Verify(pub) {
		t.Fatal("a good announce does not verify")
	}
	got, o, err := a.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("params = %+v, want %+v", got, want)
	}
	return o
}

func TestAnnounceFitsMTU(t *testing.T) {
	if MaxAnnounce > 1500-28 {
		t.Fatalf("the longest announce has %d bytes", MaxAnnounce)
	}
}

func TestAnnounceEveryBitCounts(t *testing.T) {
	pub, priv, _ := ed25519.GenerateKey(rand.Reader)
	key, _ := KEM().GenerateKey()
	announce, _, err := NewSession(Params{Sender: "p", Counter: 1, Rate: 1, Geometry: testGeometry}, key.PublicKey(), priv)
	if err != nil {
		t.Fatal(err)
	}
	for i := range announce {
		bad := bytes.Clone(announce)
		bad[i] ^= 1 << (i % 8)
		a, err := ParseAnnounce(bad)
		if err == nil && a.Key == NewKeyID(pub) && a.Verify(pub) {
			t.Fatalf("an announce with a flipped bit in byte %d verifies", i)
		}
	}
	for n := range announce {
		if a, err := ParseAnnounce(announce[:n]); err == nil && a.Verify(pub) {
			t.Fatalf("an announce cut to %d bytes verifies", n)
		}
	}
}

func TestAnnounceForAnotherReceiver(t *testing.T) {
	announce, _, _ := pair(t)
	other, _ := KEM().GenerateKey()
	a, err := ParseAnnounce(announce)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Open(other); !errors.Is(err, ErrAuth) {
		t.Fatalf("opening with another key: %v, want ErrAuth", err)
	}
}

func TestNewSessionRefusesBadParams(t *testing.T) {
	_, priv, _ := ed25519.GenerateKey(rand.Reader)
	key, _ := KEM().GenerateKey()
	good := Params{Sender: "prod", Counter: 1, Rate: 1, Geometry: testGeometry}
	for name, spoil := range map[string]func(*Params){
		"no name":    func(p *Params) { p.Sender = "" },
		"path":       func(p *Params) { p.Sender = "../x" },
		"counter 0":  func(p *Params) { p.Counter = 0 },
		"rate 0":     func(p *Params) { p.Rate = 0 },
		"k+m > 256":  func(p *Params) { p.K, p.M = 250, 7 },
		"odd symbol": func(p *Params) { p.Symbol = 100 },
		"too large":  func(p *Params) { p.K, p.M, p.Depth, p.Symbol = 200, 20, 4096, 8896 },
	} {
		p := good
		spoil(&p)
		if _, _, err := NewSession(p, key.PublicKey(), priv); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSymbolFrameRoundTrip(t *testing.T) {
	_, s, o := pair(t)
	symbol := bytes.Repeat([]byte{0xa5}, testGeometry.Symbol)
	for seq := uint64(1); seq <= 3; seq++ {
		h := Header{Block: 9, Shard: 23, Column: 2, Geometry: testGeometry, Length: 5000}
		frame := s.Seal(nil, &h, symbol)
		var got Header
		if err := ParseHeader(frame, &got); err != nil {
			t.Fatal(err)
		}
		if got != h || got.Sequence != seq || got.Session != s.Session() {
			t.Fatalf("header = %+v, want %+v", got, h)
		}
		dst := make([]byte, testGeometry.Symbol)
		if err := o.Open(dst, frame); err != nil || !bytes.Equal(dst, symbol) {
			t.Fatalf("open: %v", err)
		}
	}
}

func TestSymbolFrameEveryBitCounts(t *testing.T) {
	_, s, o := pair(t)
	h := Header{Block: 1, Geometry: testGeometry, Length: 1}
	frame := s.Seal(nil, &h, make([]byte, testGeometry.Symbol))
	dst := make([]byte, MaxSymbol)
	for bit := range len(frame) * 8 {
		frame[bit/8] ^= 1 << (bit % 8)
		var got Header
		if ParseHeader(frame, &got) == nil && o.Open(dst, frame) == nil {
			t.Fatalf("a frame with bit %d flipped opens", bit)
		}
		frame[bit/8] ^= 1 << (bit % 8)
	}
	if err := o.Open(dst, frame); err != nil {
		t.Fatalf("the good frame no longer opens: %v", err)
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	good := Header{Sequence: 1, Block: 1, Geometry: testGeometry, Length: 1}
	frame := func(h Header) []byte {
		return append(AppendHeader(nil, &h), make([]byte, h.Symbol+TagSize)...)
	}
	for _, c := range []struct {
		name  string
		spoil func(h *Header)
		want  error
	}{
		{"sequence 0", func(h *Header) { h.Sequence = 0 }, ErrSequence},
		{"sequence 0 of lane 1", func(h *Header) { h.Sequence, h.More = 1<<laneShift, 1 }, ErrSequence},
		{"lane 2 of 2", func(h *Header) { h.Sequence, h.More = 2<<laneShift+1, 1 }, ErrLane},
		{"9 lanes", func(h *Header) { h.More = MaxLanes }, ErrLane},
		{"block 0", func(h *Header) { h.Block = 0 }, ErrSequence},
		{"k 0", func(h *Header) { h.K = 0 }, ErrGeometry},
		{"m 0", func(h *Header) { h.M = 0 }, ErrGeometry},
		{"k+m 257", func(h *Header) { h.K, h.M = 255, 2 }, ErrGeometry},
		{"depth 0", func(h *Header) { h.Depth = 0 }, ErrGeometry},
		{"depth 4097", func(h *Header) { h.Depth = 4097 }, ErrGeometry},
		{"symbol 65", func(h *Header) { h.Symbol = 65 }, ErrGeometry},
		{"symbol 8960", func(h *Header) { h.Symbol = 8960 }, ErrGeometry},
		{"257 MiB", func(h *Header) { h.K, h.M, h.Depth, h.Symbol = 200, 20, 4096, 8896 }, ErrGeometry},
		{"shard 24", func(h *Header) { h.Shard = 24 }, ErrIdentity},
		{"column 3", func(h *Header) { h.Column = 3 }, ErrIdentity},
		{"length 0", func(h *Header) { h.Length = 0 }, ErrIdentity},
		{"length past data", func(h *Header) { h.Length = uint32(testGeometry.DataBytes()) + 1 }, ErrIdentity},
	} {
		h := good
		c.spoil(&h)
		var got Header
		if err := ParseHeader(frame(h), &got); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	f := frame(good)
	var got Header
	for n := range f {
		if ParseHeader(f[:n], &got) == nil {
			t.Fatalf("a frame cut to %d bytes parses", n)
		}
	}
	if err := ParseHeader(append(f, 0), &got); !errors.Is(err, ErrLength) {
		t.Errorf("one byte too long: %v, want ErrLength", err)
	}
	for _, off := range []int{offTail, HeaderSize - 1} {
		bad := bytes.Clone(f)
		bad[off] = 1
		if err := ParseHeader(bad, &got); !errors.Is(err, ErrReserved) {
			t.Errorf("reserved byte %d: %v, want ErrReserved", off, err)
		}
	}
}

func TestFramePathAllocatesNothing(t *testing.T) {
	_, s, o := pair(t)
	symbol, dst := make([]byte, testGeometry.Symbol), make([]byte, testGeometry.Symbol)
	buf := make([]byte, 0, MaxFrame)
	h := Header{Block: 1, Geometry: testGeometry, Length: 1}
	var got Header
	allocs := testing.AllocsPerRun(100, func() {
		frame := s.Seal(buf, &h, symbol)
		if ParseHeader(frame, &got) != nil || o.Open(dst, frame) != nil {
			t.Fatal("a good frame does not open")
		}
		frame[len(frame)-1] ^= 1
		if o.Open(dst, frame) == nil {
			t.Fatal("a forged frame opens")
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations a frame", allocs)
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	c := Context{Source: "etc", Number: 42, Taken: -1}
	d := Data{Object: ObjectID{1}, Offset: 1 << 40, Bytes: []byte("content")}
	e := End{Object: ObjectID{2}, Size: 1 << 41, SHA256: Hash{3}, Holes: []Range{{0, 4096}, {8192, 1}}}
	m := Manifest{Object: ObjectID{4}, ObjectSize: 10, Size: 20, SHA256: Hash{5}, Previous: Hash{6}, Signature: [64]byte{7}}
	hb := Heartbeat{Clock: 1, Sources: []SourceState{{"etc", 42, 3, Hash{8}}, {"pg", 1, 4, Hash{9}}}}
	cal := Calibration{Session: SessionID{9}, First: 7, Steps: []CalibrationStep{{1e8, 1000}, {1e9, 1 << 40}}}
	b := AppendCalibration(nil, &cal)
	if len(b) != CalibrationSize(&cal) {
		t.Fatalf("a calibration takes %d bytes, CalibrationSize says %d", len(b), CalibrationSize(&cal))
	}
	if v, err := parseAny(RecordCalibration, b[RecordHeaderSize:]); err != nil || !reflect.DeepEqual(v, cal) {
		t.Fatalf("%+v, %v", v, err)
	}
	b = nil
	b = AppendHeartbeat(AppendManifest(AppendEnd(AppendData(AppendContext(b, &c), &d), &e), &m), &hb)
	if want := ContextSize(&c) + DataHeaderSize + len(d.Bytes) + EndSize(&e) + ManifestSize + HeartbeatSize(&hb); len(b) != want {
		t.Fatalf("records take %d bytes, the size functions say %d", len(b), want)
	}
	var got []any
	for rest := append(b, 0, 0, 0); ; {
		kind, body, next, err := NextRecord(rest)
		if err == io.EOF {
			break
		}
		v, perr := parseAny(kind, body)
		if err != nil || perr != nil {
			t.Fatal(kind, err, perr)
		}
		got, rest = append(got, v), next
	}
	if want := []any{c, d, e, m, hb}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

func parseAny(kind RecordKind, body []byte) (any, error) {
	switch kind {
	case RecordContext:
		return ParseContext(body)
	case RecordData:
		return ParseData(body)
	case RecordEnd:
		return ParseEnd(body)
	case RecordManifest:
		return ParseManifest(body)
	case RecordHeartbeat:
		return ParseHeartbeat(body)
	case RecordCalibration:
		return ParseCalibration(body)
	case RecordCompressed:
		return ParseCompressed(body)
	case RecordKeyChange:
		return ParseKeyChange(body)
	case RecordAbandoned:
		return ParseAbandoned(body)
	}
	return nil, ErrRecord
}

func TestEndRefusesBadHoles(t *testing.T) {
	for name, holes := range map[string][]Range{
		"empty":       {{0, 0}},
		"touching":    {{0, 10}, {10, 10}},
		"overlapping": {{0, 10}, {5, 10}},
		"descending":  {{50, 10}, {0, 10}},
		"past size":   {{90, 11}},
		"overflow":    {{1<<64 - 1, 2}},
	} {
		b := AppendEnd(nil, &End{Size: 100, Holes: holes})
		if _, err := ParseEnd(b[RecordHeaderSize:]); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v, want ErrRecord", name, err)
		}
	}
}

func TestNextRecordStaysInside(t *testing.T) {
	b := AppendRecordHeader(nil, RecordData, 10)
	if _, _, _, err := NextRecord(append(b, make([]byte, 9)...)); !errors.Is(err, ErrRecord) {
		t.Fatalf("a body past the block: %v, want ErrRecord", err)
	}
	if _, _, _, err := NextRecord(b[:3]); !errors.Is(err, ErrRecord) {
		t.Fatalf("half a header: %v, want ErrRecord", err)
	}
	if _, _, _, err := NextRecord(nil); err != io.EOF {
		t.Fatalf("an empty block: %v, want io.EOF", err)
	}
}

func TestSequenceNeverRepeats(t *testing.T) {
	_, s, _ := pair(t)
	h := Header{Block: 1, Geometry: testGeometry, Length: 1}
	symbol := make([]byte, testGeometry.Symbol)
	a := s.Seal(nil, &h, symbol)
	b := s.Seal(nil, &h, symbol)
	if bytes.Equal(a[HeaderSize:], b[HeaderSize:]) {
		t.Fatal("the same symbol sealed twice gives the same bytes")
	}
}

func BenchmarkSealOpen(b *testing.B) {
	for _, size := range []int{SymbolMTU1500, SymbolMTU9000} {
		_, s, o := pair(b)
		h := Header{Block: 1, Geometry: Geometry{K: 200, M: 20, Depth: 10, Symbol: size}, Length: 1}
		symbol, buf := make([]byte, size), make([]byte, 0, MaxFrame)
		var got Header
		b.Run(Geometry{Symbol: size}.name(), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				frame := s.Seal(buf, &h, symbol)
				if ParseHeader(frame, &got) != nil || o.Open(symbol, frame) != nil {
					b.Fatal("does not open")
				}
			}
		})
	}
}

func (g Geometry) name() string {
	if g.Symbol == SymbolMTU9000 {
		return "mtu9000"
	}
	return "mtu1500"
}
