package sender

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"weir/internal/geometry"
	"weir/protocol"
)

func TestStreams(t *testing.T) {
	room := small.DataBytes()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, n := range []int{0, 1, 4095, 4096, 4097, room - 5000, room - 4200, room - 100, room, room + 1, 20 * room} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "in halves": iotest.HalfReader, "with EOF": iotest.DataErrReader,
			} {
				want := noise(uint64(n), n)
				res, got := r.push(Job{Stream: wrap(bytes.NewReader(want)), As: "dir/db.sql"})
				r.want(got, map[string][]byte{"dir/db.sql": want})
				if res.Bytes != int64(n) || res.SentBytes != int64(n) || res.Files != 1 || res.Problems != 0 {
					t.Errorf("%d %s: %+v", n, name, res)
				}
				if e := got.entries["dir/db.sql"]; e.Mode != 0o600 || !e.ModTime.Equal(res.Taken) || !slices.Equal(got.header.Roots, []string{"-"}) {
					t.Errorf("%d %s: %+v %+v", n, name, e, got.header)
				}
			}
		}
	})
}

// Every block but the last is full: what is left over has no room for a page.
func TestBlocksAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{"large": noise(1, 3e6)}
		for i := range 60 {
			files[string(rune('a'+i/26))+"/"+string(rune('a'+i%26))] = noise(uint64(i), i*1000)
		}
		write(t, dir, files)
		_, got := r.push(Job{Paths: []string{dir}})
		r.want(got, files)
		r.wantFullBlocks()
		all := r.snapshotBlocks()
		for _, b := range all[:len(all)-2] {
			if left := small.DataBytes() - int(b.Length); left > alignment+minRoom {
				t.Errorf("block %d has %d bytes left", b.Block, left)
			}
		}
	})
}

// What closes a snapshot comes twice, with more than a burst between, as the same
// records in another block.
func TestTailComesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for _, n := range []int{0, 100, small.DataBytes() - 600, 100000} {
			r.push(Job{Stream: bytes.NewReader(noise(1, n)), As: "x"})
			all := r.snapshotBlocks()
			last, again := all[len(all)-2], all[len(all)-1]
			if !bytes.Equal(last.data, again.data) || again.Block <= last.Block || again.Geometry != last.Geometry {
				t.Errorf("%d bytes: %+v and %+v", n, last.Header, again.Header)
			}
			if k := last.kinds; k[len(k)-1] != protocol.RecordManifest {
				t.Errorf("%d bytes: the last records are %v", n, k)
			}
			wire := time.Duration(float64(again.Symbols()*1538*8) / float64(r.cfg.Rate) * 1e9)
			if gap := again.at.Sub(last.at) - wire; gap < 2*r.cfg.Burst {
				t.Errorf("%d bytes: repeated after %v", n, gap)
			}
		}
	})
}

func TestResultAndProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(1, 50000), "b": noise(2, 100000), "c": nil})
		var planned, done int64
		res, _ := r.push(Job{Paths: []string{dir}, Planned: func(n int64) { planned = n }, Progress: func(n int64) { done += n }})
		if planned != 150000 || done != 150000 || res.SentBytes != 150000 {
			t.Errorf("planned %d, done %d, %+v", planned, done, res)
		}
		frames := int64(0)
		for _, b := range r.blocks {
			frames += int64(b.Symbols())
		}
		announces := int64(len(r.announces))
		if least := frames * 1538; res.WireBytes < least || res.WireBytes > least+announces*1538 {
			t.Errorf("%d bytes on the wire, %d frames, %d announces", res.WireBytes, frames, announces)
		}
		if res.Name() != "2000-01-01T000000Z.000001" || res.Duration < tailGap(r.cfg.Burst) {
			t.Errorf("%s %v", res.Name(), res.Duration)
		}
		res, _ = r.push(Job{Paths: []string{dir}, Planned: func(n int64) { planned = n }})
		if planned != 0 || res.SentBytes != 0 {
			t.Errorf("planned %d, %+v", planned, res)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"no geometry":  {func(c *Config) { c.Geometry = protocol.Geometry{} }, protocol.ErrGeometry},
		"small blocks": {func(c *Config) { c.Geometry.Symbol = 64 }, ErrSmallBlock},
		"no rate":      {func(c *Config) { c.Rate = 0 }, nil},
	} {
		cfg := Config{Geometry: small, Rate: 1e9, Clock: plain{}}
		c.change(&cfg)
		if _, err := New(cfg); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nowhere is a Link that takes all.
type nowhere struct{}

func (nowhere) Send([]byte, int) error { return nil }

// bare returns a transmitter that was begun, without a goroutine.
func bare(t testing.TB, g protocol.Geometry) *transmitter {
	t.Helper()
	_, signer, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := protocol.KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	state, err := OpenState(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	cfg := &Config{
		Name: "prod", Signer: signer, Receiver: key.PublicKey(), Rate: 1e15, Geometry: g,
		Heartbeat: time.Hour, Clock: plain{}, Link: nowhere{}, State: state,
	}
	tr := newTransmitter(cfg, g)
	if err := tr.begin(); err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestBlockAllocatesNothing(t *testing.T) {
	tr := bare(t, small)
	b := &outBlock{buf: make([]byte, small.BlockBytes()), used: small.DataBytes(), geo: small}
	if n := testing.AllocsPerRun(50, func() {
		if err := tr.block(b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a block of %d frames", n, small.Symbols())
	}
}

// counted tells of the most memory in use while it is read.
type counted struct {
	left int64
	each func()
	n    int
}

func (c *counted) Read(p []byte) (int, error) {
	if c.n++; c.n%100 == 0 {
		c.each()
	}
	n := int(min(c.left, int64(len(p))))
	if c.left -= int64(n); n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestMemoryDoesNotGrowWithContent(t *testing.T) {
	key, err := protocol.KEM().GenerateKey()
	must(t, err)
	_, signer, err := ed25519.GenerateKey(nil)
	must(t, err)
	state := openState(t, filepath.Join(t.TempDir(), "state"))
	defer state.Close()
	s, err := New(Config{
		Name: "prod", Signer: signer, Receiver: key.PublicKey(), Rate: 1e15, Geometry: small, Heartbeat: time.Hour,
		Clock: plain{}, Link: nowhere{}, State: state, Scratch: t.TempDir(), Tool: "test",
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }()
	most := func(size int64) (peak uint64) {
		stream := &counted{left: size, each: func() {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}}
		if res, err := s.Push(ctx, Job{Source: "s", Stream: stream, As: "x"}); err != nil || res.Bytes != size {
			t.Errorf("%+v, %v", res, err)
		}
		return peak
	}
	little, much := most(16<<20), most(256<<20)
	if much > little+1<<20 {
		t.Errorf("%d bytes of heap for 16 MiB, %d for 256 MiB", little, much)
	}
	cancel()
	must(t, <-ran)
}

// BenchmarkPush measures the sender without a link: read, hash, parity, seal.
func BenchmarkPush(b *testing.B) {
	g, err := geometry.New(1e9, 0.1, 20*time.Millisecond, protocol.SymbolMTU1500)
	if err != nil {
		b.Fatal(err)
	}
	tr := bare(b, g)
	block := &outBlock{buf: make([]byte, g.BlockBytes()), used: g.DataBytes(), geo: g}
	code, err := tr.code(g)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(g.DataBytes()))
	for b.Loop() {
		if err := errors.Join(tr.give(code, block), tr.block(<-tr.queue)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestManifestOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		res, got := r.push(Job{Paths: []string{t.TempDir()}})
		if len(got.order) != 0 || res.Files != 0 || got.header.Source != "src" {
			t.Errorf("%+v %q", res, got.order)
		}
	})
}
