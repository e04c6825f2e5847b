package vault

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// reopen opens the vault anew with another disk.
func (g *store) reopen(d disk) {
	g.t.Helper()
	g.kill()
	g.disk = d
	g.open()
}

// TestListedOnlyOnceItIsSecured looks at the list at each named point: a restore
// point whose directory the disk may not have yet is not whole.
func TestListedOnlyOnceItIsSecured(t *testing.T) {
	g := newStore(t)
	d := realDisk()
	s := g.shot(1, 100, 2<<20)
	states := map[string]string{}
	d.point = func(name string) { states[name] = g.state(s) }
	g.reopen(d)
	g.send(s)
	for name, want := range map[string]string{"built": Partial, "staged": Partial, "renamed": Partial, "published": Partial, "listed": Whole, "noted": Whole, "cleared": Whole} {
		if states[name] != want {
			t.Errorf("at %q it is %q, want %q", name, states[name], want)
		}
	}
	// After the system was started again, what is there is there.
	dir := filepath.Join(g.dir, ".weir", "pending", "prod", "etc", s.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{bootID(): Partial, "another": Whole} {
		if err := os.WriteFile(filepath.Join(dir, publishingFile), []byte(id), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, infoFile), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := g.state(s); got != want {
			t.Errorf("with the mark of %q it is %q, want %q", id, got, want)
		}
	}
}

// TestRenameThatCannotBeSynced fails the sync of the parent directory.
func TestRenameThatCannotBeSynced(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	d := realDisk()
	renamed, failures := false, 1
	d.point = func(name string) { renamed = name == "renamed" }
	d.sync = func(f *os.File) error {
		if renamed && failures > 0 {
			failures--
			return unix.EIO
		}
		return f.Sync()
	}
	g.reopen(d)
	g.send(s)
	if failures != 0 || g.state(s) != Partial || exists(filepath.Join(g.dir, "prod", "etc", s.Name())) {
		t.Fatalf("%d failures to come, it is %q", failures, g.state(s))
	}
	g.now = g.now.Add(2 * maxBackoff)
	g.v.Settle(true)
	if g.state(s) != Whole || len(g.points) != 1 {
		t.Fatalf("then it is %q", g.state(s))
	}
	g.verify()
}

func TestTornEventLine(t *testing.T) {
	for name, tail := range map[string]string{
		"half a line": `{"seq":2,"time"`, "zeros": "\x00\x00\x00", "a line of zeros": "\x00\x00\x00\x00\n", "a torn line": "\x00\x00\x00vious\":\"1\"}\n",
	} {
		g := newStore(t)
		g.send(g.shot(1, 10))
		g.kill()
		if err := appendTo(filepath.Join(g.dir, ".weir", "events.jsonl"), tail); err != nil {
			t.Fatal(err)
		}
		g.open()
		g.send(g.shot(2, 10))
		if got := g.events(); !slices.Equal(got, []string{"snapshot-whole", "snapshot-whole", "manifest-chain-broken"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEventsOutlastTheDisksTrouble fails the event log alone, for a while.
func TestEventsOutlastTheDisksTrouble(t *testing.T) {
	g := newStore(t)
	d := realDisk()
	broken := true
	d.sync = func(f *os.File) error {
		if broken && strings.HasSuffix(f.Name(), "events.jsonl") {
			return unix.EIO
		}
		return f.Sync()
	}
	g.reopen(d)
	g.send(g.shot(1, 10))
	if data, err := os.ReadFile(filepath.Join(g.dir, ".weir", "events.jsonl")); err != nil || len(data) > 0 {
		t.Fatalf("events that are not synced stand there: %q, %v", data, err)
	}
	broken = false
	g.v.Settle(false)
	if got := g.events(); len(g.points) != 1 || !slices.Equal(got, []string{"snapshot-whole"}) {
		t.Fatalf("events %v", got)
	}
}

// TestFailedSyncKeepsWhatIsSafe fails the second sync of a partial object. What
// the first one brought to the disk stays; the rest, and its neighbours, count as
// missing although they are in memory.
func TestFailedSyncKeepsWhatIsSafe(t *testing.T) {
	g := newStore(t)
	d := realDisk()
	syncs := 0
	d.sync = func(f *os.File) error {
		if len(filepath.Base(f.Name())) == 32 && strings.Contains(f.Name(), "incoming") {
			if syncs++; syncs == 2 {
				return unix.EIO
			}
		}
		return f.Sync()
	}
	g.reopen(d)
	s := g.shot(1, 5<<20)
	f := s.files[0]
	g.v.Touch(s.Snapshot)
	g.v.WriteRange(s.Snapshot, f.id, 1<<20, f.content[1<<20:3<<20])
	g.v.Settle(true)
	g.v.WriteRange(s.Snapshot, f.id, 3<<20, f.content[3<<20:4<<20])
	g.finish(s)
	want := [][2]int64{{0, 1 << 20}, {3<<20 - nearby, 2<<20 + nearby}}
	if got := lacksOf(g.v.layout, key{"prod", f.id}, 5<<20); syncs != 2 || !slices.Equal(got, want) {
		t.Fatalf("after %d syncs it lacks %v, want %v", syncs, got, want)
	}
	g.kill()
	g.open()
	if got := lacksOf(g.v.layout, key{"prod", f.id}, 5<<20); !slices.Equal(got, want) {
		t.Fatalf("after a restart it lacks %v", got)
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("after a second pass it is %q", g.state(s))
	}
	g.verify()
}

// TestMapWithoutFile leaves what a power cut may: a map without its file, or with
// a shorter one. It must not claim a byte.
func TestMapWithoutFile(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"no file": os.Remove,
		"shorter": func(path string) error { return os.Truncate(path, 2<<20) },
	} {
		g := newStore(t)
		s := g.shot(1, 5<<20)
		f := s.files[0]
		g.v.Touch(s.Snapshot)
		g.v.WriteRange(s.Snapshot, f.id, 1<<20, f.content[1<<20:3<<20])
		g.v.Settle(true)
		g.kill()
		k := key{"prod", f.id}
		if err := spoil(g.v.incoming(k)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := lacksOf(g.v.layout, k, 5<<20); !slices.Equal(got, [][2]int64{{0, 5 << 20}}) {
				t.Fatalf("%s: it lacks %v", name, got)
			}
			g.open()
			g.kill()
		}
		g.open()
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("%s: in the end it is %q", name, g.state(s))
		}
		g.verify()
	}
}

// TestUnreadablePieceIsWrittenAnew cuts the file of a partial object while it is
// held, so that it cannot be read back.
func TestUnreadablePieceIsWrittenAnew(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 5<<20)
	f := s.files[0]
	g.v.WriteRange(s.Snapshot, f.id, 1<<20, f.content[1<<20:])
	o := g.v.open[key{"prod", f.id}]
	o.end = &end{content: content{5 << 20, sha256.Sum256(f.content)}}
	if err := g.v.giveUp(o, unix.EIO); err == nil || o.held.holds(0, 1<<20) || !o.held.holds(1<<20, 5<<20) {
		t.Fatalf("%v; it holds %v", err, o.held)
	}
	o.frontier = 2<<20 + 5
	if g.v.giveUp(o, unix.EIO); o.held.holds(2<<20, 3<<20) || !o.held.holds(1<<20, 2<<20) || !o.held.holds(3<<20, 5<<20) {
		t.Fatalf("it holds %v", o.held)
	}
	o.hash, o.frontier = sha256.New(), 0
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.verify()
}

// TestLeftOversGo sends ranges of an object that no manifest lists, as when a
// file changes while it is read.
func TestLeftOversGo(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100)
	stray := ObjectID(bytes.Repeat([]byte{77}, 16))
	g.v.Touch(s.Snapshot)
	g.v.WriteRange(s.Snapshot, stray, 5000, make([]byte, 3<<20))
	g.v.Settle(true)
	g.kill()
	g.open()
	g.send(s)
	if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir/incoming/prod")); g.state(s) != Whole || len(left) > 0 {
		t.Fatalf("it is %q, incoming holds %v", g.state(s), left)
	}
}

// TestObjectThatIsGone removes an object that the catalog has.
func TestObjectThatIsGone(t *testing.T) {
	g := newStore(t)
	first := g.shot(1, 100, 2<<20)
	g.send(first)
	if err := os.Remove(g.v.layout.object(key{"prod", first.files[1].id})); err != nil {
		t.Fatal(err)
	}
	again := g.shot(2)
	again.files = first.files
	g.seal(again)
	g.finish(again)
	if g.state(again) != Partial {
		t.Fatalf("without the object it is %q", g.state(again))
	}
	g.send(again)
	if g.state(again) != Whole {
		t.Fatalf("with the object it is %q", g.state(again))
	}
	g.verify()
}

// TestNothingIsBuiltBelowAMountPoint takes the disk away while the vault is open.
func TestNothingIsBuiltBelowAMountPoint(t *testing.T) {
	g := newStore(t)
	g.send(g.shot(1, 100))
	if err := os.Rename(filepath.Join(g.dir, ".weir"), filepath.Join(g.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	g.send(g.shot(2, 100, 3<<20))
	if exists(filepath.Join(g.dir, ".weir")) {
		t.Fatal("a second vault was begun below the mount point")
	}
}

func TestRangesRemove(t *testing.T) {
	for _, c := range []struct {
		from, end int64
		want      ranges
	}{
		{0, 5, ranges{{10, 20}, {30, 40}}},
		{0, 15, ranges{{15, 20}, {30, 40}}},
		{12, 15, ranges{{10, 12}, {15, 20}, {30, 40}}},
		{10, 40, ranges{}},
		{15, 35, ranges{{10, 15}, {35, 40}}},
		{20, 30, ranges{{10, 20}, {30, 40}}},
		{35, 99, ranges{{10, 20}, {30, 35}}},
		{15, 15, ranges{{10, 20}, {30, 40}}},
	} {
		r := ranges{{10, 20}, {30, 40}}
		if r.remove(c.from, c.end); !slices.Equal(r, c.want) {
			t.Errorf("without %d..%d it is %v, want %v", c.from, c.end, r, c.want)
		}
	}
}
