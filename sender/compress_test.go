package sender

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/zstd"

	"weir/protocol"
)

// compressed takes a record as a receiver does.
func (l *memoryLink) compressed(c *protocol.Compressed) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(protocol.MaxPlain))
	if err != nil {
		l.t.Fatal(err)
	}
	defer d.Close()
	plain, err := d.DecodeAll(c.Frame, nil)
	if err != nil || len(plain) != int(c.Length) {
		l.t.Errorf("a record of %d bytes became %d: %v", c.Length, len(plain), err)
	}
	l.data(l.object(c.Object), &protocol.Data{Object: c.Object, Offset: c.Offset, Bytes: plain})
}

// expansion returns the bytes of the records of each kind, and fails the test
// where a block becomes more than a receiver takes.
func (l *memoryLink) expansion() (data, compressed int) {
	l.t.Helper()
	for _, b := range l.blocks {
		plain, at := int64(0), 0
		for rest := b.data; ; {
			kind, body, next, err := protocol.NextRecord(rest)
			if err != nil {
				break
			}
			at += len(rest) - len(next)
			switch kind {
			case protocol.RecordData:
				data += len(body)
			case protocol.RecordCompressed:
				c, _ := protocol.ParseCompressed(body)
				compressed += len(body)
				if plain += int64(c.Length); plain > protocol.PlainAllowed(at) {
					l.t.Errorf("%d bytes of content in %d of a block", plain, at)
				}
			}
			rest = next
		}
	}
	return data, compressed
}

// words is text as logs have it.
func words(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "2026-11-23T01:%02d:%02dZ host%d service[%d]: request for %x took %d ms\n",
			r.IntN(60), r.IntN(60), r.IntN(9), r.IntN(5000), r.Uint32(), r.IntN(900))
	}
	return b.Bytes()[:n]
}

func TestCompressedOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{
			"text": words(1, 900_001), "noise": noise(1, 900_001), "tiny": []byte("x"), "short": words(2, 300),
			"mixed": slicesOf(words(3, 200_000), noise(2, 500_000), words(4, 700_000), make([]byte, 10<<20)), "empty": nil,
		}
		for i := range 50 {
			files[fmt.Sprintf("many/%d", i)] = words(uint64(i), 1000+i*100)
		}
		write(t, dir, files)
		res, got := r.push(Job{Paths: []string{dir}, Compress: true})
		r.want(got, files)
		data, compressed := r.expansion()
		if compressed == 0 || data < 1_400_000 || data+compressed > 2_600_000 {
			t.Errorf("%d bytes plain, %d compressed, of %d", data, compressed, res.SentBytes)
		}
		r.push(Job{Paths: []string{dir}, All: true})
		if _, compressed := r.expansion(); compressed != 0 {
			t.Errorf("%d bytes are compressed that nobody asked for", compressed)
		}
	})
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// A sparse file keeps its holes, and a stream of unknown length its end.
func TestCompressedSparseAndStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		f, err := os.Create(filepath.Join(dir, "sparse"))
		must(t, err)
		text := words(1, 400_000)
		_, err = f.WriteAt(text, 1<<20)
		must(t, err)
		must(t, f.Truncate(8<<20))
		must(t, f.Close())
		settle(t)
		want := make([]byte, 8<<20)
		copy(want[1<<20:], text)
		_, got := r.push(Job{Paths: []string{dir}, Compress: true})
		r.want(got, map[string][]byte{"sparse": want})
		if len(got.entries["sparse"].Holes) == 0 {
			t.Skip("the file system of the temporary directory keeps no holes")
		}
		_, got = r.push(Job{Source: "dump", Stream: strings.NewReader(string(text)), As: "db.sql", Compress: true})
		r.want(got, map[string][]byte{"db.sql": text})
		if data, compressed := r.expansion(); compressed == 0 || compressed+data > len(text)/2 {
			t.Errorf("%d bytes plain and %d compressed of %d", data, compressed, len(text))
		}
	})
}

// What does not compress is not tried in full again and again.
func TestSqueezerGivesUpAndComesBack(t *testing.T) {
	q, err := newSqueezer(16 << 20)
	must(t, err)
	bad, good := noise(1, squeezeChunk), words(1, squeezeChunk)
	tried := 0
	for range 100 {
		if q.skip == 0 {
			tried++
		}
		if q.squeeze(bad) != nil {
			t.Fatal("noise was compressed")
		}
	}
	if tried > 12 {
		t.Errorf("tried %d times of 100", tried)
	}
	misses := 0
	for q.squeeze(good) == nil {
		misses++
	}
	if misses > pauseMost || q.squeeze(good) == nil || q.squeeze(good[:squeezeLeast-1]) != nil {
		t.Errorf("%d chunks went by", misses)
	}
}

func BenchmarkSqueeze(b *testing.B) {
	for name, p := range map[string][]byte{"text": words(1, squeezeChunk), "noise": noise(1, squeezeChunk), "zeros": make([]byte, squeezeChunk)} {
		b.Run(name, func(b *testing.B) {
			q, err := newSqueezer(16 << 20)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = len(q.squeeze(p))
			}
			if size > 0 {
				b.ReportMetric(float64(len(p))/float64(size), "ratio")
			}
		})
	}
}
