package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
)

// The golden vectors hold the wire format still. They are written once, by
// `go test ./protocol -run Vectors -write-vectors`, and only for a new version.
var writeVectors = flag.Bool("write-vectors", false, "write testdata/vectors anew")

const vectorDir = "../testdata/vectors/"

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// sessionVector is an announce with the keys that open it and frames under it.
type sessionVector struct {
	ReceiverKey hexBytes      `json:"receiver_key"` // HPKE private key
	SenderKey   hexBytes      `json:"sender_key"`   // Ed25519 seed
	Params      Params        `json:"params"`
	Announce    hexBytes      `json:"announce"`
	Frames      []frameVector `json:"frames"`
}

type frameVector struct {
	Header Header   `json:"header"`
	Symbol hexBytes `json:"symbol"`
	Frame  hexBytes `json:"frame"`
}

// badVector is input that must be refused, and the error that says why.
type badVector struct {
	Name  string   `json:"name"`
	Bytes hexBytes `json:"bytes"`
	Error string   `json:"error"`
}

type recordVector struct {
	Kind  RecordKind `json:"kind"`
	Value any        `json:"value"`
	Bytes hexBytes   `json:"bytes"`
}

func TestSessionVectors(t *testing.T) {
	if *writeVectors {
		writeJSON(t, "session.json", newSessionVector(t))
	}
	var v sessionVector
	readJSON(t, "session.json", &v)
	key, err := KEM().NewPrivateKey(v.ReceiverKey)
	if err != nil {
		t.Fatal(err)
	}
	signer := ed25519.NewKeyFromSeed(v.SenderKey)
	o := openSession(t, v.Announce, key, signer.Public().(ed25519.PublicKey), v.Params)
	a, _ := ParseAnnounce(v.Announce)
	s := &Sealer{traffic: o.traffic, session: a.Session}
	for i, f := range v.Frames {
		var h Header
		dst := make([]byte, v.Params.Symbol)
		if err := ParseHeader(f.Frame, &h); err != nil || h != f.Header {
			t.Fatalf("frame %d: header %+v, %v; want %+v", i, h, err, f.Header)
		}
		if err := o.Open(dst, f.Frame); err != nil || !bytes.Equal(dst, f.Symbol) {
			t.Fatalf("frame %d: does not open as recorded: %v", i, err)
		}
		s.sequence[0] = h.Sequence - 1
		if got := s.Seal(nil, &h, f.Symbol); !bytes.Equal(got, f.Frame) {
			t.Fatalf("frame %d: sealing gives %x", i, got)
		}
	}
}

func newSessionVector(t *testing.T) sessionVector {
	key, err := KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	v := sessionVector{ReceiverKey: raw, SenderKey: bytes.Repeat([]byte{7}, ed25519.SeedSize)}
	v.Params = Params{Sender: "prod", Counter: 3, Start: 1763859600e9, Rate: 9e8, Geometry: testGeometry}
	announce, s, err := NewSession(v.Params, key.PublicKey(), ed25519.NewKeyFromSeed(v.SenderKey))
	if err != nil {
		t.Fatal(err)
	}
	v.Announce = announce
	for i := range 3 {
		h := Header{Block: uint64(1 + i), Shard: 11 * i, Column: i, Geometry: testGeometry, Length: uint32(1000 + i)}
		symbol := bytes.Repeat([]byte{byte(i + 1)}, testGeometry.Symbol)
		frame := s.Seal(nil, &h, symbol)
		v.Frames = append(v.Frames, frameVector{Header: h, Symbol: symbol, Frame: frame})
	}
	return v
}

func TestBadFrameVectors(t *testing.T) {
	if *writeVectors {
		writeJSON(t, "bad_frames.json", newBadFrames())
	}
	var bad []badVector
	readJSON(t, "bad_frames.json", &bad)
	if len(bad) < 10 {
		t.Fatalf("only %d bad frames", len(bad))
	}
	for _, v := range bad {
		kind, _, err := FrameKindOf(v.Bytes)
		if err == nil && kind == FrameAnnounce {
			_, err = ParseAnnounce(v.Bytes)
		} else if err == nil {
			err = ParseHeader(v.Bytes, new(Header))
		}
		if err == nil || err.Error() != v.Error {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Error)
		}
	}
}

func newBadFrames() []badVector {
	h := Header{Session: SessionID{1, 2, 3, 4, 5, 6, 7, 8}, Sequence: 1, Block: 1, Geometry: testGeometry, Length: 1}
	frame := append(AppendHeader(nil, &h), make([]byte, h.Symbol+TagSize)...)
	put := func(off int, v ...byte) []byte {
		b := bytes.Clone(frame)
		copy(b[off:], v)
		return b
	}
	announce := append(announceHead(h.Session, KeyID{9}), make([]byte, minAnnounce-offEnc)...)
	reserved := bytes.Clone(announce)
	reserved[3] = 1
	return []badVector{
		{"empty", nil, ErrShort.Error()},
		{"three bytes", frame[:3], ErrShort.Error()},
		{"zeros", make([]byte, len(frame)), ErrVersion.Error()},
		{"version 2", put(offVersion, 2), ErrVersion.Error()},
		{"kind 0", put(offKind, 0), ErrKind.Error()},
		{"kind 3", put(offKind, 3), ErrKind.Error()},
		{"header only", frame[:HeaderSize], ErrShort.Error()},
		{"cut", frame[:len(frame)-1], ErrLength.Error()},
		{"too long", append(bytes.Clone(frame), 0), ErrLength.Error()},
		{"sequence 0", put(offSequence, make([]byte, 8)...), ErrSequence.Error()},
		{"block 0", put(offBlock, make([]byte, 8)...), ErrSequence.Error()},
		{"k 0", put(offK, 0), ErrGeometry.Error()},
		{"m 0", put(offM, 0), ErrGeometry.Error()},
		{"k+m 257", put(offK, 253, 4), ErrGeometry.Error()},
		{"depth 0", put(offDepth, 0, 0), ErrGeometry.Error()},
		{"depth 4097", put(offDepth, 0x10, 1), ErrGeometry.Error()},
		{"symbol 0", put(offSymbol, 0, 0), ErrGeometry.Error()},
		{"symbol 129", put(offSymbol, 0, 129), ErrGeometry.Error()},
		{"symbol 192 in a shorter frame", put(offSymbol, 0, 192), ErrLength.Error()},
		{"shard k+m", put(offShard, 24), ErrIdentity.Error()},
		{"column D", put(offColumn, 0, 3), ErrIdentity.Error()},
		{"length 0", put(offLength, 0, 0, 0, 0), ErrIdentity.Error()},
		{"length past the data", put(offLength, 0xff, 0xff, 0xff, 0xff), ErrIdentity.Error()},
		{"lanes 9", put(offLanes, MaxLanes), ErrLane.Error()},
		{"lane 1 of 1", put(offSequence, 1), ErrLane.Error()},
		{"sequence 0 of lane 1", put(offSequence, 1, 0, 0, 0, 0, 0, 0, 0), ErrSequence.Error()},
		{"reserved tail", put(offTail+7, 1), ErrReserved.Error()},
		{"announce too short", announce[:minAnnounce-1], ErrLength.Error()},
		{"announce too long", append(announce, make([]byte, maxAnnounce)...), ErrLength.Error()},
		{"announce with a reserved byte", reserved, ErrReserved.Error()},
	}
}

func TestRecordVectors(t *testing.T) {
	if *writeVectors {
		writeJSON(t, "records.json", newRecordVectors())
	}
	var golden []struct {
		Kind  RecordKind
		Value json.RawMessage
		Bytes hexBytes
	}
	readJSON(t, "records.json", &golden)
	for i, want := range newRecordVectors() {
		g := golden[i]
		value, _ := json.Marshal(want.Value)
		if g.Kind != want.Kind || !bytes.Equal(g.Bytes, want.Bytes) || !sameJSON(g.Value, value) {
			t.Errorf("record %d is %x, golden %x", i, want.Bytes, g.Bytes)
		}
		kind, body, rest, err := NextRecord(g.Bytes)
		if err != nil || kind != g.Kind || len(rest) != 0 {
			t.Fatalf("golden record %d does not parse: %v", i, err)
		}
		if v, err := parseAny(kind, body); err != nil || !reflect.DeepEqual(v, want.Value) {
			t.Errorf("golden record %d parses as %+v, %v", i, v, err)
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func newRecordVectors() []recordVector {
	id := ObjectID{0: 0xaa, 15: 0xbb}
	values := []any{
		Context{Source: "etc", Number: 42, Taken: 1763859600e9},
		Data{Object: id, Offset: 4096, Bytes: []byte("content")},
		End{Object: id, Size: 4103, SHA256: Hash{1, 2}},
		End{Object: id, Size: 1 << 40, SHA256: Hash{3}, Holes: []Range{{0, 4096}, {8192, 1 << 39}}},
		Manifest{Object: id, ObjectSize: 99, Size: 1234, SHA256: Hash{4}, Previous: Hash{5}, Signature: [64]byte{6}},
		Heartbeat{Clock: -1, Sources: []SourceState{}},
		Heartbeat{Clock: 1763859600e9, Sources: []SourceState{{"etc", 42, 1, Hash{7}}, {"pg.main", 1, 2, Hash{8}}}},
		Calibration{Session: SessionID{0: 0xcc, 7: 0xdd}, First: 25, Steps: []CalibrationStep{{1e8, 19360}, {2e8, 38720}}},
		Compressed{Object: id, Offset: 8192, Length: 4096, Frame: zeroPage},
		testKeyChange(),
		Abandoned{[]Context{{Source: "etc", Number: 41, Taken: 1763859600e9}, {Source: "pg.main", Number: 7, Taken: -1}}},
	}
	var out []recordVector
	for _, v := range values {
		b := appendAny(v)
		out = append(out, recordVector{Kind: RecordKind(b[0]), Value: v, Bytes: b})
	}
	return out
}

func TestBadRecordVectors(t *testing.T) {
	if *writeVectors {
		writeJSON(t, "bad_records.json", newBadRecords())
	}
	var bad []badVector
	readJSON(t, "bad_records.json", &bad)
	if len(bad) < 10 {
		t.Fatalf("only %d bad records", len(bad))
	}
	for _, v := range bad {
		kind, body, _, err := NextRecord(v.Bytes)
		if err == nil {
			_, err = parseAny(kind, body)
		}
		if err == nil || err.Error() != v.Error {
			t.Errorf("%s: %v, want %s", v.Name, err, v.Error)
		}
	}
}

// zeroPage is 4096 zeros in one Zstandard frame.
var zeroPage = hexBytes{0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, 0x03, 0x80, 0x00, 0x00}

func newBadRecords() []badVector {
	body := func(k RecordKind, b []byte) []byte { return append(AppendRecordHeader(nil, k, len(b)), b...) }
	good := newRecordVectors()
	cut := func(i int) []byte { b := good[i].Bytes[RecordHeaderSize:]; return body(good[i].Kind, b[:len(b)-1]) }
	long := func(i int) []byte {
		return body(good[i].Kind, append(bytes.Clone(good[i].Bytes[RecordHeaderSize:]), 0))
	}
	changed := func(change func(*KeyChange)) []byte {
		c := testKeyChange()
		change(&c)
		return AppendKeyChange(nil, &c)
	}
	bad := map[string][]byte{
		"half a header":                 {2, 0, 0},
		"body past the block":           AppendRecordHeader(nil, RecordData, 1<<31),
		"context cut":                   cut(0),
		"context too long":              long(0),
		"context with a path":           AppendContext(nil, &Context{Source: "../etc", Number: 1}),
		"context with upper case":       AppendContext(nil, &Context{Source: "Etc", Number: 1}),
		"context with number 0":         AppendContext(nil, &Context{Source: "etc"}),
		"data without bytes":            AppendData(nil, &Data{Object: ObjectID{1}}),
		"data past the limit":           AppendData(nil, &Data{Offset: MaxObject - 1, Bytes: []byte("xy")}),
		"data at offset 2^63":           AppendData(nil, &Data{Offset: 1 << 63, Bytes: []byte("x")}),
		"end cut":                       cut(2),
		"end too long":                  long(2),
		"end of 2^62":                   AppendEnd(nil, &End{Size: MaxObject}),
		"end with a hole past it":       AppendEnd(nil, &End{Size: 1, Holes: []Range{{0, 2}}}),
		"end with too many holes":       body(RecordEnd, append(make([]byte, 56), 0xff, 0xff, 0xff, 0xff)),
		"manifest cut":                  cut(4),
		"manifest of size 0":            AppendManifest(nil, &Manifest{ObjectSize: 1}),
		"heartbeat cut":                 cut(6),
		"calibration cut":               cut(7),
		"calibration too long":          long(7),
		"calibration without steps":     AppendCalibration(nil, &Calibration{First: 1}),
		"calibration of 65 steps":       AppendCalibration(nil, &Calibration{First: 1, Steps: make([]CalibrationStep, 65)}),
		"calibration at no rate":        AppendCalibration(nil, &Calibration{First: 1, Steps: []CalibrationStep{{0, 1}}}),
		"calibration from 0":            AppendCalibration(nil, &Calibration{Steps: []CalibrationStep{{1, 1}}}),
		"calibration without end":       AppendCalibration(nil, &Calibration{First: 1, Steps: []CalibrationStep{{1, 1 << 41}}}),
		"heartbeat of 65535 sources":    body(RecordHeartbeat, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}),
		"compressed without a frame":    AppendCompressed(nil, &Compressed{Length: 1}),
		"compressed of nothing":         AppendCompressed(nil, &Compressed{Frame: zeroPage}),
		"compressed of more than 4 MiB": AppendCompressed(nil, &Compressed{Length: MaxPlain + 1, Frame: zeroPage}),
		"compressed of 4 GiB":           AppendCompressed(nil, &Compressed{Length: 1<<32 - 1, Frame: zeroPage}),
		"compressed past the limit":     AppendCompressed(nil, &Compressed{Offset: MaxObject - 4096, Length: 4096, Frame: zeroPage}),
		"compressed at offset 2^63":     AppendCompressed(nil, &Compressed{Offset: 1 << 63, Length: 4096, Frame: zeroPage}),
		"abandoned cut":                 cut(10),
		"abandoned too long":            long(10),
		"abandoned of nothing":          AppendAbandoned(nil, &Abandoned{}),
		"abandoned of 257":              AppendAbandoned(nil, &Abandoned{slices.Repeat([]Context{{Source: "a", Number: 1}}, MaxAbandoned+1)}),
		"abandoned of number 0":         AppendAbandoned(nil, &Abandoned{[]Context{{Source: "etc"}}}),
		"abandoned of a path":           AppendAbandoned(nil, &Abandoned{[]Context{{Source: "../etc", Number: 1}}}),
		"key change cut":                cut(9),
		"key change too long":           long(9),
		"key change with counter 0":     changed(func(c *KeyChange) { c.Counter = 0 }),
		"key change with a path":        changed(func(c *KeyChange) { c.Sender = "../prod" }),
		"key change to the same key":    changed(func(c *KeyChange) { c.Old = NewKeyID(c.New[:]) }),
		"compressed cut":                body(RecordCompressed, make([]byte, 27)),
	}
	var out []badVector
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		out = append(out, badVector{name, bad[name], ErrRecord.Error()})
	}
	return out
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(vectorDir + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorDir+name, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
