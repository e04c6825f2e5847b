package protocol

import (
	"bytes"
	"testing"
)

// TestLaneVectors holds the frames of a session of three lanes still. They are
// sealed under the traffic key of session.json.
func TestLaneVectors(t *testing.T) {
	var v sessionVector
	readJSON(t, "session.json", &v)
	key, err := KEM().NewPrivateKey(v.ReceiverKey)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAnnounce(v.Announce)
	if err != nil {
		t.Fatal(err)
	}
	_, o, err := a.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sealer{traffic: o.traffic, session: a.Session}
	if *writeVectors {
		writeJSON(t, "lanes.json", newLaneVectors(s, v.Params.Geometry))
		s = &Sealer{traffic: o.traffic, session: a.Session}
	}
	var golden []frameVector
	readJSON(t, "lanes.json", &golden)
	for i, f := range golden {
		h := Header{Lane: f.Header.Lane, More: f.Header.More, Block: f.Header.Block, Shard: f.Header.Shard, Column: f.Header.Column, Geometry: f.Header.Geometry, Length: f.Header.Length}
		if got := s.Seal(nil, &h, f.Symbol); !bytes.Equal(got, f.Frame) || h != f.Header {
			t.Errorf("frame %d is sealed as %x, golden %x", i, got[:HeaderSize], f.Frame[:HeaderSize])
		}
		var got Header
		dst := make([]byte, len(f.Symbol))
		if err := ParseHeader(f.Frame, &got); err != nil || got != f.Header {
			t.Errorf("frame %d parses as %+v, %v; want %+v", i, got, err, f.Header)
		}
		if err := o.Open(dst, f.Frame); err != nil || !bytes.Equal(dst, f.Symbol) {
			t.Errorf("frame %d does not open as recorded: %v", i, err)
		}
	}
	if last := golden[len(golden)-1].Header; last.Lane != 2 || last.LaneSequence() != 2 {
		t.Errorf("the last frame is number %d of lane %d", last.LaneSequence(), last.Lane)
	}
}

func newLaneVectors(s *Sealer, g Geometry) (all []frameVector) {
	for i := range 6 {
		h := Header{Lane: i % 3, More: 2, Block: 1, Shard: i / g.Depth, Column: i % g.Depth, Geometry: g, Length: uint32(g.DataBytes())}
		symbol := bytes.Repeat([]byte{byte(i)}, g.Symbol)
		frame := s.Seal(nil, &h, symbol)
		all = append(all, frameVector{h, symbol, frame})
	}
	return all
}
