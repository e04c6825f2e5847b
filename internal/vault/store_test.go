package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"weir/internal/manifest"
)

// store is a vault under test with a sender's hand.
type store struct {
	t      *testing.T
	dir    string
	key    ed25519.PrivateKey
	now    time.Time
	disk   disk
	v      *Vault
	points []Info         // reported as published
	opt    func(*Options) // further options, may be nil
}

func newStore(t *testing.T) *store {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-vault-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTree(dir) })
	g := &store{t: t, dir: dir, key: testKey(), now: time.Unix(2e9, 0), disk: realDisk()}
	g.open()
	return g
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)) }

// removeTree removes a vault, whose restore points are read-only.
func removeTree(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	os.RemoveAll(dir)
}

func (g *store) open() {
	g.t.Helper()
	v, err := open(g.dir, g.options(), g.disk)
	if err != nil {
		g.t.Fatal(err)
	}
	v.burst, v.entering, v.most = time.Hour, time.Hour, time.Hour // on a busy machine
	g.v = v
	g.t.Cleanup(func() { g.v.release() })
}

func (g *store) options() Options {
	opt := Options{
		Log: zerolog.Nop(), Now: func() time.Time { return g.now },
		Signers:   map[string][]ed25519.PublicKey{"prod": {g.key.Public().(ed25519.PublicKey)}},
		OnPublish: func(i Info) { g.points = append(g.points, i) },
	}
	if g.opt != nil {
		g.opt(&opt)
	}
	return opt
}

func (g *store) close() {
	g.t.Helper()
	if err := g.v.Close(); err != nil {
		g.t.Fatal(err)
	}
}

// kill lets go of the vault as kill -9 does: nothing more is written.
func (g *store) kill() { g.v.release() }

// file is one file of a snapshot that a test makes.
type file struct {
	path    string
	content []byte
	id      ObjectID
}

// shot is a snapshot that a test makes.
type shot struct {
	Snapshot
	files    []file
	extra    []manifest.Entry // further entries
	manifest []byte           // text
	object   []byte           // compressed
	Previous Hash
	ref      ManifestRef
}

func content1(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed, byte(n)}).Read(b)
	return b
}

func (g *store) shot(number uint64, sizes ...int) *shot {
	s := &shot{Snapshot: Snapshot{Sender: "prod", Source: "etc", Number: number, Taken: time.Unix(1.9e9, 0).UTC().Add(time.Duration(number) * time.Hour)}}
	for i, n := range sizes {
		f := file{path: "f" + string(rune('a'+i)), content: content1(n, byte(i))}
		f.id = ObjectID(bytes.Repeat([]byte{byte(number), byte(i + 1)}, 8))
		s.files = append(s.files, f)
	}
	g.seal(s)
	return s
}

// seal makes the manifest of a shot.
func (g *store) seal(s *shot) {
	g.t.Helper()
	var text bytes.Buffer
	w, err := manifest.NewWriter(&text, manifest.Header{Sender: s.Sender, Source: s.Source, Number: s.Number, Taken: s.Taken, Previous: s.Previous})
	if err != nil {
		g.t.Fatal(err)
	}
	all := slices.Clone(s.extra)
	for _, f := range s.files {
		e := manifest.Entry{Path: f.path, Kind: manifest.File, Size: int64(len(f.content)), SHA256: sha256.Sum256(f.content), Mode: 0o600}
		if len(f.content) > 0 {
			e.Object = f.id
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b manifest.Entry) int { return manifest.ComparePath(a.Path, b.Path) })
	for i := range all {
		if err := w.Add(&all[i]); err != nil {
			g.t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		g.t.Fatal(err)
	}
	g.signed(s, text.Bytes(), manifest.Sign(g.key, w.Digest()))
}

// signed completes a shot with any text as its manifest.
func (g *store) signed(s *shot, text []byte, sig [64]byte) {
	zip, err := zstd.NewWriter(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	s.manifest, s.object = text, zip.EncodeAll(text, nil)
	s.ref = ManifestRef{
		Object: ObjectID(bytes.Repeat([]byte{byte(s.Number), 0xff}, 8)), ObjectSize: int64(len(s.object)), Size: int64(len(text)),
		SHA256: sha256.Sum256(text), Previous: s.Previous, Signature: sig, PublicKey: g.key.Public().(ed25519.PublicKey),
	}
}

// send gives the vault a whole shot. Errors do not matter here: what counts is
// what the vault says in the end.
func (g *store) send(s *shot) {
	g.v.Touch(s.Snapshot)
	for _, f := range s.files {
		g.object(s, f)
	}
	g.finish(s)
}

// object gives the vault one file of a shot.
func (g *store) object(s *shot, f file) {
	if len(f.content) > 0 {
		g.v.Touch(s.Snapshot)
		g.v.WriteRange(s.Snapshot, f.id, 0, f.content)
		g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
	}
}

func (g *store) finish(s *shot) {
	g.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
	g.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sha256.Sum256(s.object), nil)
	g.v.CloseSnapshot(s.Snapshot, s.ref)
	g.settle()
}

// settle lets the vault settle until nothing goes on beside it.
func (g *store) settle() {
	for g.v.Settle(true); g.v.Building(); g.v.Settle(true) {
		time.Sleep(time.Millisecond)
	}
}

// state returns what the vault lists of a snapshot, "" if nothing.
func (g *store) state(s *shot) string {
	g.t.Helper()
	all, err := List(g.dir)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, i := range all {
		if i.Snapshot().Ref() == s.Ref() {
			return i.State
		}
	}
	return ""
}

// verify holds that every snapshot listed as whole, or ever reported so, is good
// to the last bit.
func (g *store) verify() {
	g.t.Helper()
	all, err := List(g.dir)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, i := range append(all, g.points...) {
		if i.State != Whole {
			continue
		}
		f, err := Find(g.dir, i.Snapshot().Ref())
		if err != nil {
			g.t.Fatal(err)
		}
		r, err := Verify(g.t.Context(), g.dir, f, nil)
		if err != nil || len(r.Findings) > 0 {
			g.t.Fatalf("%s: %v, %v", i.Name, r.Findings, err)
		}
	}
}

// events returns the names of what was noted.
func (g *store) events() (names []string) {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.dir, ".weir", "events.jsonl"))
	if err != nil {
		g.t.Fatal(err)
	}
	previous := ""
	for line := range bytes.Lines(data) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			g.t.Fatal(err)
		}
		if e.Previous != previous || e.Sequence != uint64(len(names)+1) {
			g.t.Fatalf("the chain is broken at %s", line)
		}
		names, previous = append(names, e.Event), lineHash(line)
	}
	return names
}
