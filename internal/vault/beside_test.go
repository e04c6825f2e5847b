package vault

import (
	"crypto/ed25519"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
)

// held is a vault in which building a restore point of prod waits until goOn is
// closed.
type held struct {
	*store
	goOn chan struct{}
}

func newHeld(t *testing.T) *held {
	h := &held{store: newStore(t), goOn: make(chan struct{})}
	h.kill()
	link := h.disk.link
	h.disk.link = func(from string, dir int, name string) error {
		if strings.Contains(from, "/prod/") && strings.HasPrefix(name, "f") {
			<-h.goOn
		}
		return link(from, dir, name)
	}
	h.opt = func(o *Options) {
		o.Beside = -1
		o.Signers["other"] = []ed25519.PublicKey{h.key.Public().(ed25519.PublicKey)}
	}
	h.open()
	return h
}

// begin sends a shot until it is being built.
func (h *held) begin(s *shot) {
	h.t.Helper()
	for _, f := range s.files {
		h.object(s, f)
	}
	h.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
	h.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sumOf(s.object), nil)
	h.v.CloseSnapshot(s.Snapshot, s.ref)
	h.until(func() bool { site := h.v.sites[s.Sender]; return site != nil && !site.checked })
}

// until lets the vault settle until something is so.
func (h *held) until(is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatal("it does not come to that")
		}
		h.v.Settle(true)
	}
}

func (h *held) nothingStaged() {
	h.t.Helper()
	if left, err := os.ReadDir(h.v.own("staging")); err != nil || len(left) > 0 {
		h.t.Errorf("%v are left in the staging area, %v", left, err)
	}
}

// TestOthersGoOnWhileOneIsBuilt publishes the snapshot of one sender while that of
// another takes its time, and no second one of that.
func TestOthersGoOnWhileOneIsBuilt(t *testing.T) {
	h := newHeld(t)
	slow, next, other := h.shot(1, 100, 200), h.shot(2, 300), h.from("other", "etc", 1, 100)
	h.begin(slow)
	h.v.Touch(next.Snapshot)
	h.object(next, next.files[0])
	h.v.WriteRange(next.Snapshot, next.ref.Object, 0, next.object)
	h.v.EndObject(next.Snapshot, next.ref.Object, int64(len(next.object)), sumOf(next.object), nil)
	h.v.CloseSnapshot(next.Snapshot, next.ref)
	for _, f := range other.files {
		h.object(other, f)
	}
	h.v.WriteRange(other.Snapshot, other.ref.Object, 0, other.object)
	h.v.EndObject(other.Snapshot, other.ref.Object, int64(len(other.object)), sumOf(other.object), nil)
	h.v.CloseSnapshot(other.Snapshot, other.ref)
	h.until(func() bool { return h.state(other) == Whole })
	if h.state(slow) != Partial || h.state(next) != Partial || len(h.v.sites) != 1 || !h.v.Building() {
		t.Errorf("%q and %q, %d at work", h.state(slow), h.state(next), len(h.v.sites))
	}
	if h.count(event.SnapshotPartial) != 0 {
		t.Error("what is being built is told to lack something")
	}
	close(h.goOn)
	h.settle()
	if h.state(slow) != Whole || h.state(next) != Whole {
		t.Errorf("they are %q and %q in the end", h.state(slow), h.state(next))
	}
	h.nothingStaged()
	h.verify()
}

// TestBuiltForNothing changes what a restore point is made of while it is built: it
// is not published as it was.
func TestBuiltForNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*held, *shot)
		want   string
	}{
		"an object is damaged": {func(h *held, s *shot) {
			k := key{"prod", s.files[0].id}
			c, _ := h.v.catalog.get(k)
			if err := h.v.markObject(k, c, "a test says so"); err != nil {
				t.Fatal(err)
			}
		}, Partial},
		"it is dropped":       {func(h *held, s *shot) { h.drop(s, false) }, ""},
		"the key is revoked":  {func(h *held, s *shot) { h.changeKeys(SignersRequest{Revoke: []Signer{signerFor(h.key)}}) }, Partial},
		"the manifest is new": {func(h *held, s *shot) { h.v.dropManifest(h.v.pending[norm(s.Snapshot)]) }, Partial},
		"it goes on":          {func(*held, *shot) {}, Whole},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeld(t)
			s := h.shot(1, 100, 200)
			h.begin(s)
			c.change(h, s)
			close(h.goOn)
			h.settle()
			if got := h.state(s); got != c.want {
				t.Errorf("it is %q, not %q", got, c.want)
			}
			if c.want == Whole {
				h.verify()
			}
			h.nothingStaged()
		})
	}
}

// TestBuildingIsListed: who looks while a restore point is checked or built is not told
// that its manifest has not come.
func TestBuildingIsListed(t *testing.T) {
	h := newHeld(t)
	s := h.shot(1, 100, 200)
	building := func() bool {
		t.Helper()
		all, err := List(h.dir)
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0].Building
	}
	h.object(s, s.files[0])
	h.object(s, s.files[1])
	if building() {
		t.Error("it is being built before its manifest has come")
	}
	h.begin(s)
	if !building() {
		t.Error("it is being built, and not listed so")
	}
	close(h.goOn)
	h.settle()
	if building() || h.state(s) != Whole {
		t.Errorf("in the end it is %q", h.state(s))
	}
}

// TestComingManifestIsListed: a manifest that is there and not unpacked yet has come, and
// a snapshot that is known to lack something is not being built.
func TestComingManifestIsListed(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 200)
	g.object(s, s.files[0])
	g.v.opt.Beside = -1
	g.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
	g.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sumOf(s.object), nil)
	if err := g.v.syncFresh(); err != nil {
		t.Fatal(err)
	}
	g.v.pending[norm(s.Snapshot)].notTill = time.Now().Add(time.Hour) // its turn has not come
	g.v.CloseSnapshot(s.Snapshot, s.ref)
	if all, err := List(g.dir); err != nil || !all[0].Building {
		t.Errorf("%+v, %v", all, err)
	}
	g.v.pending[norm(s.Snapshot)].notTill = time.Time{}
	g.finish(s)
	if all, err := List(g.dir); err != nil || all[0].Building || all[0].MissingFiles != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestClosedWhileBuilding closes the vault in the midst: whoever opens it builds it.
func TestClosedWhileBuilding(t *testing.T) {
	h := newHeld(t)
	s := h.shot(1, 100, 200)
	h.begin(s)
	go func() {
		time.Sleep(10 * time.Millisecond)
		close(h.goOn)
	}()
	h.close()
	if got := h.state(s); got != Partial {
		t.Fatalf("it is %q", got)
	}
	h.open()
	h.settle()
	if got := h.state(s); got != Whole {
		t.Errorf("it is %q after the vault was opened again", got)
	}
	h.nothingStaged()
	h.verify()
}

// TestManySnapshotsTakeTurns holds that a sender whose publications have used up
// its share is served beside, in turn, and all become whole.
func TestManySnapshotsTakeTurns(t *testing.T) {
	g := newStore(t)
	g.v.burst = 0
	var all []*shot
	for n := range uint64(5) {
		s := g.shot(n+1, 100)
		g.send(s)
		all = append(all, s)
	}
	for _, s := range all {
		if g.state(s) != Whole {
			t.Errorf("%s is %q", s.Name(), g.state(s))
		}
	}
	if g.v.turn < 10 { // each is checked and built
		t.Errorf("%d turns", g.v.turn)
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, ".weir", "pending", "*", "*", "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func sumOf(p []byte) Hash { return sha256.Sum256(p) }
