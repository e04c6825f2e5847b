package protocol

import (
	"bytes"
	"testing"
)

func FuzzParseHeader(f *testing.F) {
	h := Header{Sequence: 1, Block: 1, Geometry: testGeometry, Length: 1}
	f.Add(append(AppendHeader(nil, &h), make([]byte, h.Symbol+TagSize)...))
	f.Add([]byte{1, 2, 3})
	f.Add(make([]byte, MaxFrame))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var h Header
		if ParseHeader(frame, &h) != nil {
			return
		}
		if h.Index() >= h.Symbols() || h.BlockBytes() > MaxBlockBytes || len(frame) != FrameOverhead+h.Symbol {
			t.Fatalf("accepted %+v in %d bytes", h, len(frame))
		}
		if got := AppendHeader(nil, &h); !bytes.Equal(got, frame[:HeaderSize]) {
			t.Fatalf("header %x appends as %x", frame[:HeaderSize], got)
		}
	})
}

func FuzzParseAnnounce(f *testing.F) {
	announce, _, _ := pair(f)
	f.Add(announce)
	f.Add(make([]byte, minAnnounce))
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, err := ParseAnnounce(frame)
		if err == nil && len(a.signed)+len(a.signature) != len(frame) {
			t.Fatal("the parts of an announce are not the whole")
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add(appendParams(nil, &Params{Sender: "prod", Counter: 1, Rate: 1, Geometry: testGeometry}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parseParams(raw)
		if err == nil && !bytes.Equal(appendParams(nil, &p), raw) {
			t.Fatalf("params %x do not append as they were parsed", raw)
		}
	})
}

// FuzzRecords walks a block of hostile records as a receiver does. What parses
// must append to the same bytes: there is one encoding of everything.
func FuzzRecords(f *testing.F) {
	b := AppendContext(nil, &Context{Source: "etc", Number: 1})
	b = AppendData(b, &Data{Bytes: []byte("x")})
	b = AppendEnd(b, &End{Size: 10, Holes: []Range{{1, 2}}})
	b = AppendManifest(b, &Manifest{ObjectSize: 1, Size: 1})
	f.Add(AppendCalibration(nil, &Calibration{First: 1, Steps: []CalibrationStep{{1, 2}}}))
	b = AppendCompressed(b, &Compressed{Offset: 3, Length: 9, Frame: []byte("frame")})
	change := testKeyChange()
	f.Add(AppendKeyChange(nil, &change))
	f.Add(AppendAbandoned(nil, &Abandoned{[]Context{{Source: "a", Number: 1}, {Source: "b", Number: 2}}}))
	f.Add(AppendHeartbeat(b, &Heartbeat{Sources: []SourceState{{Source: "a", Number: 1}}}))
	f.Fuzz(func(t *testing.T, block []byte) {
		for rest := block; ; {
			kind, body, next, err := NextRecord(rest)
			if err != nil {
				return
			}
			v, err := parseAny(kind, body)
			if err == nil && !bytes.Equal(appendAny(v), rest[:len(rest)-len(next)]) {
				t.Fatalf("record %d %x does not append as it was parsed", kind, body)
			}
			rest = next
		}
	})
}

func appendAny(v any) []byte {
	switch r := v.(type) {
	case Context:
		return AppendContext(nil, &r)
	case Data:
		return AppendData(nil, &r)
	case End:
		return AppendEnd(nil, &r)
	case Manifest:
		return AppendManifest(nil, &r)
	case Heartbeat:
		return AppendHeartbeat(nil, &r)
	case Calibration:
		return AppendCalibration(nil, &r)
	case Compressed:
		return AppendCompressed(nil, &r)
	case KeyChange:
		return AppendKeyChange(nil, &r)
	case Abandoned:
		return AppendAbandoned(nil, &r)
	}
	return nil
}
