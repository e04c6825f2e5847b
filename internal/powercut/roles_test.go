package powercut

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"weir/internal/vault"
)

// The tests start this program again as the process that writes a vault and dies
// with it, and as the one that looks at what is left.
const (
	roleVar   = "WEIR_POWERCUT_ROLE"
	orderVar  = "WEIR_POWERCUT_ORDER"
	roleWrite = "write"
	roleCheck = "check"
)

// order is what such a process has to do.
type order struct {
	Vault     string
	Seed      uint64
	Snapshots int      // in all
	First     int      // with which of them the writer begins
	Most      int      // after how many it stops, 0 for no limit
	Begun     int      // of these, to be sent again by the checker
	Whole     []string // what was reported whole before the cut
	Heal      bool     // not snapshots come, but damage is healed
}

func TestMain(m *testing.M) {
	var o order
	if role := os.Getenv(roleVar); role != "" {
		must(json.Unmarshal([]byte(os.Getenv(orderVar)), &o))
		if role == roleWrite {
			write(o)
		} else {
			check(o)
		}
		os.Exit(0)
	}
	code := m.Run()
	removePrograms()
	os.Exit(code)
}

func (w *world) open(dir string, opt vault.Options) *vault.Vault {
	opt.Log = zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	opt.Signers = map[string][]ed25519.PublicKey{sender: {w.key.Public().(ed25519.PublicKey)}}
	v, err := vault.Open(dir, opt)
	must(err)
	return v
}

// write sends the snapshots into the vault. It tells the test of each named point
// and of each restore point that is reported whole, and goes on when the test has
// noted the moment.
func write(o order) {
	w := newWorld(o.Seed, o.Snapshots)
	answers := bufio.NewReader(os.Stdin)
	var turn, looking sync.Mutex // points are passed beside the vault's goroutine too
	tell := func(what, name string) {
		turn.Lock()
		defer turn.Unlock()
		fmt.Println(what, name)
		_, err := answers.ReadString('\n')
		must(err)
	}
	if o.Heal {
		heal(o, tell)
		return
	}
	known := map[string]bool{}
	listed := func() {
		looking.Lock()
		defer looking.Unlock()
		infos, err := vault.List(o.Vault)
		must(err)
		for _, i := range infos {
			if ref := i.Snapshot().Ref(); i.State == vault.Whole && !known[ref] {
				known[ref] = true
				tell("whole", ref)
			}
		}
	}
	opt := vault.Options{
		OnPublish: func(i vault.Info) { tell("whole", i.Snapshot().Ref()) },
		Point:     func(name string) { tell("point", name); listed() },
	}
	if o.Seed%2 == 1 {
		opt.Beside = -1
	}
	chance := rand.New(rand.NewPCG(o.Seed, 2))
	v := w.open(o.Vault, opt)
	for i, s := range w.shots {
		if i < o.First || o.Most > 0 && i >= o.First+o.Most {
			continue
		}
		tell("begin", fmt.Sprint(i+1))
		w.send(v, s, chance)
		listed()
		switch i % 7 {
		case 3:
			must(v.Close())
			v = w.open(o.Vault, opt)
		case 4, 5:
			w.send(v, w.shots[max(i, 1)-1], nil) // a later pass
		}
	}
	for i, s := range w.shots {
		if o.Most == 0 || i >= o.First && i < o.First+o.Most {
			w.send(v, s, nil)
		}
	}
	listed()
	must(v.Close())
}

// check looks at a vault after a cut: first as it is, then after a receiver has
// taken it up and everything came once more.
func check(o order) {
	if o.Heal {
		checkHealing(o)
		return
	}
	w := newWorld(o.Seed, o.Snapshots)
	w.verify(o.Vault, o.Whole)
	w.checkMaps(o.Vault)
	v := w.open(o.Vault, vault.Options{})
	w.verify(o.Vault, o.Whole)
	for _, s := range w.shots[:o.Begun] {
		w.send(v, s, nil)
	}
	settle(v)
	var all []string
	for _, s := range w.shots[:o.Begun] {
		all = append(all, s.Ref())
	}
	w.verify(o.Vault, all)
	must(v.Close())
	w.checkLeftOvers(o.Vault)
}

// verify holds that what was reported whole, by a list, a log line or an event,
// is whole to the last bit, and so is all that is listed now.
func (w *world) verify(dir string, reported []string) {
	infos, err := vault.List(dir)
	must(err)
	var listed []string
	for _, i := range infos {
		if i.State == vault.Whole {
			listed = append(listed, i.Snapshot().Ref())
		}
	}
	for _, ref := range append(slices.Clone(reported), whole(dir)...) {
		if !slices.Contains(listed, ref) {
			fail("%s was reported whole and is not listed; listed are %v", ref, listed)
		}
	}
	w.verifyListed(dir)
}

// verifyListed holds that what is listed as whole is so to the last bit.
func (w *world) verifyListed(dir string) {
	infos, err := vault.List(dir)
	must(err)
	for _, i := range infos {
		ref := i.Snapshot().Ref()
		if i.State != vault.Whole {
			continue
		}
		f, err := vault.Find(dir, ref)
		must(err)
		r, err := vault.Verify(context.Background(), dir, f, nil)
		must(err)
		if len(r.Findings) > 0 {
			fail("%s is listed as whole: %v", ref, r.Findings)
		}
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// whole returns what the event log says to be whole. A line that a cut has torn
// may be the last one only.
func whole(dir string) (refs []string) {
	data, err := os.ReadFile(filepath.Join(dir, ".weir", "events.jsonl"))
	if os.IsNotExist(err) {
		return nil
	}
	must(err)
	lines := strings.SplitAfter(string(data), "\n")
	for i, line := range lines {
		var e vault.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			if i < len(lines)-2 {
				fail("line %d of %d of the event log is damaged: %q", i+1, len(lines), line)
			}
			continue
		}
		if e.Event == "snapshot-whole" {
			refs = append(refs, e.Snapshot)
		}
	}
	return refs
}

// checkMaps holds that what the map of a partial object claims is there.
func (w *world) checkMaps(dir string) {
	maps, err := filepath.Glob(filepath.Join(dir, ".weir", "incoming", "*", "*.map"))
	must(err)
	for _, path := range maps {
		var m struct{ Held [][2]int64 }
		data, err := os.ReadFile(path)
		must(err)
		if json.Unmarshal(data, &m) != nil {
			fail("the map %s is damaged: %q", path, data)
		}
		base := strings.TrimSuffix(path, ".map")
		var id vault.ObjectID
		raw, err := hex.DecodeString(filepath.Base(base))
		must(err)
		copy(id[:], raw)
		have, err := os.ReadFile(base)
		if os.IsNotExist(err) {
			continue // renamed, and the map not removed yet: it is void
		}
		must(err)
		want := content(id, w.sizes[id])
		for _, h := range m.Held {
			if h[1] > int64(len(have)) || string(have[h[0]:h[1]]) != string(want[h[0]:h[1]]) {
				fail("the map of %v claims %v, which is not there", id, h)
			}
		}
	}
}

// checkLeftOvers holds that nothing is left over from crashes when all is whole:
// no partial object, no staged tree, no object that no restore point links.
func (w *world) checkLeftOvers(dir string) {
	for _, below := range []string{"incoming/" + sender, "staging", "pending/" + sender + "/" + source} {
		if left, _ := os.ReadDir(filepath.Join(dir, ".weir", below)); len(left) > 0 {
			fail("%s holds %v", below, left)
		}
	}
	linked := map[vault.ObjectID]bool{}
	for _, s := range w.shots {
		for _, f := range s.files {
			linked[f.id] = true
		}
	}
	must(filepath.WalkDir(filepath.Join(dir, ".weir", "objects"), func(p string, d fs.DirEntry, err error) error {
		must(err)
		var id vault.ObjectID
		if raw, herr := hex.DecodeString(d.Name()); !d.IsDir() && (herr != nil || copy(id[:], raw) != 16 || !linked[id]) {
			fail("%s is linked by no restore point", p)
		}
		return nil
	}))
}
