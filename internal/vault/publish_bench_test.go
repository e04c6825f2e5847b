package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/manifest"
)

// many makes a shot of n files of size bytes, in directories of a thousand.
func (g *store) many(number uint64, n, size int) *shot {
	s := &shot{Snapshot: Snapshot{Sender: "prod", Source: "etc", Number: number, Taken: time.Unix(1.9e9, 0).UTC()}}
	for i := range n {
		f := file{path: fmt.Sprintf("d%04d/f%03d", i/1000, i%1000), content: make([]byte, size)}
		binary.LittleEndian.PutUint64(f.content, uint64(i)+1)
		sum := sha256.Sum256(f.content[:8]) // ids are spread, as a sender's are
		f.id = ObjectID(sum[:16])
		s.files = append(s.files, f)
	}
	g.seal(s)
	return s
}

// BenchmarkPublication measures what it takes from the last frame of a snapshot to
// a restore point that is whole, and what the snapshot takes in all.
func BenchmarkPublication(b *testing.B) {
	for _, c := range []struct {
		name    string
		n, size int
	}{{"100000x4KiB", 100_000, 4096}, {"1x1GiB", 1, 1 << 30}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				g := benchStore(b)
				points := map[string]time.Time{}
				g.v.disk.point = func(name string) { points[name] = time.Now() }
				s := g.many(1, c.n, c.size)
				begun := time.Now()
				for _, f := range s.files {
					for off := 0; off < c.size; off += 1 << 20 {
						g.v.WriteRange(s.Snapshot, f.id, int64(off), f.content[off:min(off+1<<20, c.size)])
					}
					g.v.EndObject(s.Snapshot, f.id, int64(c.size), sha256.Sum256(f.content), nil)
				}
				last := time.Now()
				g.finish(s)
				if g.state(s) != Whole {
					b.Fatal("it is not whole")
				}
				b.ReportMetric(last.Sub(begun).Seconds(), "s-stored")
				for from, name := last, 0; name < len(benchPoints); name++ {
					at := points[benchPoints[name]]
					b.ReportMetric(at.Sub(from).Seconds(), "s-"+benchPoints[name])
					from = at
				}
				b.ReportMetric(time.Since(last).Seconds(), "s-to-whole")
				g.v.release()
				removeTree(g.dir)
			}
		})
	}
}

var benchPoints = []string{"objects-synced", "built", "staged", "published", "cleared"}

func benchStore(b *testing.B) *store {
	b.Helper()
	t := &testing.T{}
	dir, err := os.MkdirTemp("", "weir-vault-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { removeTree(dir) })
	g := &store{t: t, dir: dir, key: testKey(), now: time.Unix(2e9, 0), disk: realDisk()}
	if g.v, err = open(dir, Options{Log: zerolog.Nop()}, g.disk); err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkReindex rebuilds the catalog of a million objects in one restore
// point.
func BenchmarkReindex(b *testing.B) {
	const n = 1_000_000
	g := benchStore(b)
	s := Snapshot{Sender: "prod", Source: "etc", Number: 1, Taken: time.Unix(1.9e9, 0).UTC()}
	point := g.v.point(s)
	if err := os.MkdirAll(point, 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(filepath.Join(point, manifestFile))
	if err != nil {
		b.Fatal(err)
	}
	w, err := manifest.NewWriter(f, manifest.Header{Sender: s.Sender, Source: s.Source, Number: 1, Taken: s.Taken})
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		var seed [8]byte
		binary.LittleEndian.PutUint64(seed[:], uint64(i))
		sum := sha256.Sum256(seed[:])
		k := key{"prod", ObjectID(sum[:16])}
		if err := g.v.objectDir(k); err != nil {
			b.Fatal(err)
		}
		if err := createFile(g.v.layout.object(k), seed[:1]); err != nil {
			b.Fatal(err)
		}
		e := manifest.Entry{Path: fmt.Sprintf("d%06d/f%03d", i/1000, i%1000), Kind: manifest.File, Size: 1, SHA256: sha256.Sum256(seed[:1]), Object: k.id, Mode: 0o644}
		if err := w.Add(&e); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
	f.Close()
	g.v.release()
	for b.Loop() {
		if found, err := Reindex(g.dir, Options{Log: zerolog.Nop()}); err != nil || found != n {
			b.Fatalf("%d objects, %v", found, err)
		}
	}
	begun := time.Now()
	v, err := Open(g.dir, Options{Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begun).Seconds(), "s-clean-start")
	v.release() // as a crash does
	begun = time.Now()
	if v, err = Open(g.dir, Options{Log: zerolog.Nop()}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begun).Seconds(), "s-start-after-crash")
	v.release()
}
