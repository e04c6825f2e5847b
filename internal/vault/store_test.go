package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
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
	v.burst = time.Hour // on a busy machine
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

func TestSnapshotBecomesWhole(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 0, 3<<20, 70000)
	s.extra = []manifest.Entry{
		{Path: "dir", Kind: manifest.Dir, Mode: 0o700}, {Path: "dir/sub", Kind: manifest.Dir, Mode: 0o700},
		{Path: "dir/hard", Kind: manifest.Hardlink, Target: "a"},
		{Path: "gone", Kind: manifest.File, Problem: "vanished"}, {Path: "sym", Kind: manifest.Symlink, Target: "/etc/passwd"},
	}
	s.files = append(s.files, file{"a", []byte("first name"), ObjectID{42}})
	g.seal(s)
	g.send(s)
	if g.state(s) != Whole || len(g.points) != 1 {
		t.Fatalf("it is %q, published %v", g.state(s), g.points)
	}
	g.verify()
	point := filepath.Join(g.dir, "prod", "etc", s.Name())
	if b, err := os.ReadFile(filepath.Join(point, "data/dir/hard")); err != nil || string(b) != "first name" {
		t.Errorf("the hard link: %q, %v", b, err)
	}
	for path, mode := range map[string]fs.FileMode{"": 0o555, "data": 0o555, "data/dir/sub": 0o555, "data/a": 0o444, "data/fb": 0o444} {
		if st, err := os.Stat(filepath.Join(point, path)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%q has mode %v, %v; want %v", path, st.Mode(), err, mode)
		}
	}
	g.close()
	for _, dir := range []string{"staging", "incoming/prod", "pending/prod/etc"} {
		if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir", dir)); len(left) > 0 {
			t.Errorf("%s holds %v", dir, left)
		}
	}
}

func TestRangesInAnyOrder(t *testing.T) {
	for seed := range uint64(30) {
		g := newStore(t)
		rng := rand.New(rand.NewPCG(seed, 3))
		s := g.shot(1, 500000)
		f := s.files[0]
		var pieces [][2]int
		for at := 0; at < len(f.content); {
			n := min(1+rng.IntN(90000), len(f.content)-at)
			pieces = append(pieces, [2]int{at, at + n}, [2]int{max(0, at-rng.IntN(5000)), at + n})
			at += n
		}
		rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		for i, p := range pieces {
			if i == len(pieces)/3 {
				g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
			}
			if i == len(pieces)/2 {
				g.v.Settle(true)
				if rng.IntN(2) == 0 {
					g.close()
				} else {
					g.kill()
				}
				g.open()
			}
			if err := g.v.WriteRange(s.Snapshot, f.id, int64(p[0]), f.content[p[0]:p[1]]); err != nil {
				t.Fatal(err)
			}
		}
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("seed %d: it is %q", seed, g.state(s))
		}
		g.verify()
		g.close()
	}
}

func TestHolesAreNotWaitedFor(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 300000)
	f := &s.files[0]
	clear(f.content[100000:250000])
	clear(f.content[290000:])
	g.seal(s)
	holes := [][2]int64{{100000, 150000}, {290000, 10000}}
	g.v.WriteRange(s.Snapshot, f.id, 0, f.content[:100000])
	g.v.WriteRange(s.Snapshot, f.id, 250000, f.content[250000:290000])
	if err := g.v.EndObject(s.Snapshot, f.id, 300000, sha256.Sum256(f.content), holes); err != nil {
		t.Fatal(err)
	}
	g.finish(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.verify()
}

func TestContradictionsAreRefused(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 1000, 2<<20)
	sum := sha256.Sum256(s.files[1].content)
	id := s.files[1].id
	g.v.WriteRange(s.Snapshot, id, 0, s.files[1].content[:1000])
	for name, err := range map[string]error{
		"negative offset":   g.v.WriteRange(s.Snapshot, id, -1, []byte("x")),
		"past any limit":    g.v.WriteRange(s.Snapshot, id, MaxObject-1, []byte("xy")),
		"size zero":         g.v.EndObject(s.Snapshot, id, 0, sum, nil),
		"size 2^62":         g.v.EndObject(s.Snapshot, id, MaxObject, sum, nil),
		"a hole past it":    g.v.EndObject(s.Snapshot, id, 10, sum, [][2]int64{{5, 6}}),
		"source with ..":    g.v.Touch(Snapshot{"prod", "..", 1, s.Taken}),
		"source weir":       g.v.Touch(Snapshot{"prod", "weir", 1, s.Taken}),
		"sender with slash": g.v.Touch(Snapshot{"a/b", "etc", 1, s.Taken}),
		"number zero":       g.v.Touch(Snapshot{"prod", "etc", 0, s.Taken}),
		"year 292277026596": g.v.Touch(Snapshot{"prod", "etc", 1, time.Unix(1<<62, 0)}),
		"year 1677":         g.v.Touch(Snapshot{"prod", "etc", 1, time.Unix(0, -1<<63)}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := g.v.EndObject(s.Snapshot, id, 2<<20, sum, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.v.EndObject(s.Snapshot, id, 2<<20, Hash{1}, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("another end: %v", err)
	}
	if err := g.v.WriteRange(s.Snapshot, id, 2<<20, []byte("x")); !errors.Is(err, ErrConflict) {
		t.Errorf("past the end: %v", err)
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("after all that it is %q", g.state(s))
	}
	g.verify()
}

func TestWrongHashIsDroppedAndHealed(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 5000, 2<<20)
	for _, f := range s.files {
		bad := bytes.Clone(f.content)
		bad[100] ^= 1
		g.v.WriteRange(s.Snapshot, f.id, 0, bad)
		g.v.EndObject(s.Snapshot, f.id, int64(len(bad)), sha256.Sum256(f.content), nil)
	}
	g.finish(s)
	if g.state(s) != Partial {
		t.Fatalf("with wrong content it is %q", g.state(s))
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("after a second pass it is %q", g.state(s))
	}
	g.verify()
}

func TestMissingRangesAreExact(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 3<<20)
	f := s.files[1]
	g.v.WriteRange(s.Snapshot, f.id, 4096, f.content[4096:1<<20])
	g.v.WriteRange(s.Snapshot, f.id, 2<<20, f.content[2<<20:3<<20-1])
	g.finish(s)
	found, err := Find(g.dir, "prod/etc@1")
	if err != nil {
		t.Fatal(err)
	}
	if found.MissingFiles != 2 || found.MissingBytes != 100+4096+1<<20+1 || found.Files != 2 {
		t.Errorf("found %+v", found.Info)
	}
	var got []MissingFile
	for m, err := range Missing(g.dir, found) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	want := [][2]int64{{0, 4096}, {1 << 20, 1 << 20}, {3<<20 - 1, 1}}
	if len(got) != 2 || !slices.Equal(got[1].Ranges, want) || !slices.Equal(got[0].Ranges, [][2]int64{{0, 100}}) {
		t.Errorf("missing %+v", got)
	}
	if _, err := Find(g.dir, "prod/etc/latest"); !errors.Is(err, ErrNotFound) {
		t.Errorf("latest of nothing whole: %v", err)
	}
}

func TestBadManifestsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(g *store, s *shot){
		"signature":   func(_ *store, s *shot) { s.ref.Signature[3] ^= 1 },
		"other key":   func(_ *store, s *shot) { s.ref.PublicKey = bytes.Repeat([]byte{9}, 32) },
		"hash":        func(_ *store, s *shot) { s.ref.SHA256[0] ^= 1 },
		"previous":    func(_ *store, s *shot) { s.ref.Previous[0] ^= 1 },
		"size":        func(_ *store, s *shot) { s.ref.Size-- },
		"cut":         func(_ *store, s *shot) { s.object = s.object[:len(s.object)-5]; s.ref.ObjectSize -= 5 },
		"no zstd":     func(_ *store, s *shot) { s.object = content1(500, 3); s.ref.ObjectSize = 500 },
		"other shot":  func(g *store, s *shot) { o := g.shot(2, 10); s.object, s.ref = o.object, o.ref },
		"bomb":        func(g *store, s *shot) { g.signed(s, make([]byte, 50<<20), [64]byte{}); s.ref.Size = 1000 },
		"no manifest": func(g *store, s *shot) { g.signed(s, []byte("{}\n"), [64]byte{}) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s := g.shot(1, 100)
			good := *s
			spoil(g, s)
			g.send(s)
			if g.state(s) != Partial {
				t.Fatalf("it is %q", g.state(s))
			}
			good.ref.Object[15]++ // the good one comes as another object
			g.send(&good)
			if g.state(s) != Whole {
				t.Fatalf("with the good manifest it is %q", g.state(s))
			}
			g.verify()
		})
	}
}

func TestPublishedNeverChanges(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 5000)
	g.send(s)
	before := snapshotTree(t, filepath.Join(g.dir, "prod"))
	evil := g.shot(1, 100, 5000, 7)
	evil.files[0].content = content1(100, 99)
	g.seal(evil)
	g.send(evil)
	if err := g.v.CloseSnapshot(evil.Snapshot, evil.ref); !errors.Is(err, ErrConflict) {
		t.Errorf("a second manifest: %v", err)
	}
	for _, f := range evil.files {
		g.v.WriteRange(Snapshot{"prod", "other", 1, s.Taken}, f.id, 0, []byte("overwrite"))
		g.v.EndObject(Snapshot{"prod", "other", 1, s.Taken}, f.id, 9, sha256.Sum256([]byte("overwrite")), nil)
	}
	g.v.Settle(true)
	if after := snapshotTree(t, filepath.Join(g.dir, "prod")); !slices.Equal(before, after) {
		t.Fatalf("the restore point changed:\n%v\n%v", before, after)
	}
	g.verify()
}

func snapshotTree(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sum, _, err := sumFile(p)
		lines = append(lines, p+" "+sum.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
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

func TestUnseenSnapshotIsListed(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100)
	for range 3 {
		if err := g.v.Announced(s.Snapshot); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.events(); g.state(s) != Partial || !slices.Equal(got, []string{"snapshot-unseen"}) {
		t.Fatalf("it is %q, events %v", g.state(s), got)
	}
	g.send(s)
	if err := g.v.Announced(s.Snapshot); err != nil || g.state(s) != Whole {
		t.Fatalf("it is %q, %v", g.state(s), err)
	}
}

func TestBrokenChainIsNoted(t *testing.T) {
	g := newStore(t)
	first, second, third := g.shot(1, 10), g.shot(2, 10), g.shot(3, 10)
	second.Previous = first.ref.SHA256
	g.seal(second)
	third.Previous = first.ref.SHA256 // not second's
	g.seal(third)
	for _, s := range []*shot{first, second, third} {
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("%s is %q", s.Ref(), g.state(s))
		}
	}
	want := []string{"snapshot-whole", "snapshot-whole", "snapshot-whole", "manifest-chain-broken"}
	if got := g.events(); !slices.Equal(got, want) {
		t.Fatalf("events %v", got)
	}
}
