package receiver

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"weir/protocol"
)

func squeeze(t testing.TB, p []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(p, nil)
}

func compressed(id byte, off uint64, length int, frame []byte) []byte {
	return protocol.AppendCompressed(nil, &protocol.Compressed{Object: protocol.ObjectID{id}, Offset: off, Length: uint32(length), Frame: frame})
}

func TestCompressedBecomesPlain(t *testing.T) {
	g := newRig(t)
	text := bytes.Repeat([]byte("what a file says "), 1000)
	b := g.data(1, 0, []byte("plain"))
	b = append(b, compressed(1, 5, len(text), squeeze(t, text))...)
	b = append(b, compressed(2, 0, 100, squeeze(t, text[:100]))...)
	g.send(g.frames(rigGeometry, b))
	g.close()
	if want := "plain" + string(text); string(g.sink.objects[protocol.ObjectID{1}]) != want {
		t.Errorf("%d bytes", len(g.sink.objects[protocol.ObjectID{1}]))
	}
	if got := g.sink.objects[protocol.ObjectID{2}]; !bytes.Equal(got, text[:100]) {
		t.Errorf("%q", got)
	}
}

// Records that lie about what is in them write nothing, and what follows them in
// the block is taken all the same.
func TestCompressedThatLies(t *testing.T) {
	zeros := make([]byte, protocol.MaxPlain)
	bomb := squeeze(t, zeros)
	cut := bomb[:len(bomb)-3]
	wide, err := zstd.NewWriter(nil, zstd.WithWindowSize(protocol.MaxPlain*2), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	window := wide.EncodeAll(bytes.Repeat(zeros, 3), nil)
	for name, c := range map[string]struct {
		length int
		frame  []byte
	}{
		"more than it says":    {1000, bomb},
		"one byte more":        {len(zeros) - 1, bomb},
		"less than it says":    {1001, squeeze(t, zeros[:1000])},
		"cut":                  {len(zeros), cut},
		"no frame":             {10, []byte("no frame at all")},
		"too wide a window":    {len(zeros), window},
		"a frame and another":  {1000, append(squeeze(t, zeros[:1000]), squeeze(t, zeros[:10])...)},
		"a claim of too much":  {protocol.MaxPlain + 1, bomb},
		"a claim of no length": {0, bomb},
	} {
		g := newRig(t)
		b := append(g.data(1, 0, []byte("x")), compressed(2, 0, c.length, c.frame)...)
		b = protocol.AppendData(b, &protocol.Data{Object: protocol.ObjectID{3}, Bytes: []byte("after")})
		g.send(g.frames(rigGeometry, b))
		g.close()
		if _, ok := g.sink.objects[protocol.ObjectID{2}]; ok || string(g.sink.objects[protocol.ObjectID{3}]) != "after" {
			t.Errorf("%s: %v", name, g.sink.written)
		}
	}
}

// A block of nothing but small bombs becomes no more than a block may.
func TestCompressedBombs(t *testing.T) {
	g := newRig(t)
	bomb := squeeze(t, make([]byte, protocol.MaxPlain))
	b := g.data(1, 0, []byte("x"))
	count := 0
	for ; len(b)+len(bomb)+protocol.CompressedHeaderSize < rigGeometry.DataBytes(); count++ {
		b = append(b, compressed(2, uint64(count)*protocol.MaxPlain, protocol.MaxPlain, bomb)...)
	}
	g.send(g.frames(rigGeometry, b))
	g.close()
	total := int64(0)
	for _, r := range g.sink.written[protocol.ObjectID{2}] {
		total += int64(r.Length)
	}
	if count < 5 || total == 0 || total > protocol.PlainAllowed(rigGeometry.DataBytes()) {
		t.Errorf("%d records became %d bytes", count, total)
	}
}

// Of a damaged block the compressed records that are whole are taken, and of the
// others nothing.
func TestCompressedInADamagedBlock(t *testing.T) {
	g := newRig(t)
	b := g.data(1, 0, []byte("x"))
	noise := make([]byte, 2000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for i := range 4 {
		b = append(b, compressed(2, uint64(2000*i), len(noise), squeeze(t, noise))...)
	}
	frames := g.frames(rigGeometry, b)
	at := 3000 / rigGeometry.Symbol // in the second of the four
	var some [][]byte
	for i, f := range frames {
		if i%rigGeometry.Depth != at%rigGeometry.Depth || i > at && i/rigGeometry.Depth < rigGeometry.K {
			some = append(some, f)
		} else if i < at {
			some = append(some, f)
		}
	}
	g.send(some)
	g.close()
	got := g.sink.written[protocol.ObjectID{2}]
	if want := []protocol.Range{{Offset: 0, Length: 2000}, {Offset: 4000, Length: 2000}, {Offset: 6000, Length: 2000}}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v", got)
	}
}

// FuzzInflate: whatever a frame holds, what comes out has the length that was
// checked before, or nothing comes out.
func FuzzInflate(f *testing.F) {
	f.Add(uint32(100), squeeze(f, make([]byte, 100)))
	f.Add(uint32(protocol.MaxPlain), squeeze(f, make([]byte, protocol.MaxPlain)))
	f.Add(uint32(5), []byte("no frame"))
	var i inflater
	f.Fuzz(func(t *testing.T, length uint32, frame []byte) {
		c := protocol.Compressed{Length: length%protocol.MaxPlain + 1, Frame: frame}
		plain, err := i.inflate(&c)
		if err == nil && len(plain) != int(c.Length) || err != nil && !errors.Is(err, protocol.ErrRecord) {
			t.Fatalf("%d bytes for %d, %v", len(plain), c.Length, err)
		}
		if cap(i.plain) > protocol.MaxPlain {
			t.Fatalf("%d bytes are kept", cap(i.plain))
		}
	})
}

// BenchmarkInflate decompresses text into memory that is there.
func BenchmarkInflate(b *testing.B) {
	text := bytes.Repeat([]byte("2026-11-23T01:00:00Z host service[123]: request took 37 ms\n"), 4400)
	c := protocol.Compressed{Length: uint32(len(text)), Frame: squeeze(b, text)}
	var i inflater
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.inflate(&c); err != nil {
			b.Fatal(err)
		}
	}
}
