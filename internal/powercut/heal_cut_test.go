package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/vault"
)

// TestCutsOfHealing damages restore points, cuts the power while a scrub and what comes
// again heal them, and looks at what is left: nothing bad is listed as whole once a
// scrub has read it, and all becomes whole again.
func TestCutsOfHealing(t *testing.T) {
	cuts, each := 4, 1
	if os.Getenv("WEIR_LONG") != "" {
		cuts, each = 60, 4
	}
	for i, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			shortOf(t, 1, i, len(systems))
			s.need(t)
			seed := seedOf(t)
			dir := scratch(t)
			d, mounted, unmount := s.disk(t, dir)
			o := order{Vault: filepath.Join(mounted, "vault"), Seed: seed, Snapshots: 4}
			watch(t, d, o)
			do(t, "sync", "-f", mounted)
			c := s.record(t, d, dir)
			o.Heal = true
			h := watch(t, d, o)
			c.Take(d)
			unmount()
			for _, name := range []string{"own-replaced", "manifest-back", "spare-moved", "spare-back", "spare-packed", "damage-marked", "relinking", "healed"} {
				if len(h.points[name]) == 0 {
					t.Errorf("the point %s was not passed", name)
				}
			}
			r := &cutter{t: t, system: s, cuts: c, dir: dir, order: o, history: h, chance: rand.New(rand.NewPCG(seed, 12))}
			r.run(cuts, each)
		})
	}
}

// heal damages restore points in turn and heals them, telling of the named points.
func heal(o order, tell func(what, name string)) {
	w := newWorld(o.Seed, o.Snapshots)
	v := w.open(o.Vault, vault.Options{Point: func(name string) { tell("point", name) }})
	for range w.shots {
		tell("begin", "")
	}
	own := func(s *shot, name string) string { return filepath.Join(o.Vault, sender, source, s.Name(), name) }
	spare := func(s *shot, name string) string {
		return filepath.Join(o.Vault, ".weir", "manifests", sender, source, s.Name(), name)
	}
	for i, spoiled := range [][]string{
		{own(w.shots[0], "manifest.jsonl")},
		{own(w.shots[1], "manifest.sig"), spare(w.shots[1], "manifest.zst")},
		{spare(w.shots[2], "manifest.zst")},
		{own(w.shots[2], "manifest.jsonl"), spare(w.shots[2], "manifest.zst")},
		{w.shared(own)},
	} {
		for _, path := range spoiled {
			spoil(path)
		}
		w.scrub(o.Vault, v)
		if strings.Contains(spoiled[0], "/data/") { // looked for in all restore points
			w.marked(o.Vault, v)
		}
		w.healed(o.Vault, v, fmt.Sprint("damage ", i))
	}
	for _, s := range w.shots {
		tell("whole", s.Ref())
	}
	must(v.Close())
}

// shared returns a file of the second snapshot that others have too, with bytes in it.
func (w *world) shared(own func(*shot, string) string) string {
	for _, f := range w.shots[1].files {
		if f.old && f.size > 0 {
			return own(w.shots[1], filepath.Join("data", f.path))
		}
	}
	for _, f := range w.shots[1].files {
		if f.size > 0 {
			return own(w.shots[1], filepath.Join("data", f.path))
		}
	}
	panic("the second snapshot is empty")
}

// spoil changes a byte of a file, for good.
func spoil(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(err)
	defer f.Close()
	st, err := f.Stat()
	must(err)
	var b [1]byte
	at := st.Size() / 2
	_, err = f.ReadAt(b[:], at)
	must(err)
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	must(err)
	must(f.Sync())
}

// scrub has the vault read everything again.
func (w *world) scrub(dir string, v *vault.Vault) vault.ScrubState {
	before, err := vault.ReadScrub(dir)
	must(err)
	asked := make(chan error, 1)
	go func() {
		asked <- vault.AskHolder(context.Background(), dir, vault.Request{Action: vault.ActionScrub, Detail: json.RawMessage(`{}`)}, nil)
	}()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		must(v.Settle(true))
		if s, err := vault.ReadScrub(dir); err == nil && !s.Running && !s.Ended.Equal(before.Ended) {
			must(<-asked)
			return s
		}
	}
	panic("the scrub does not end")
}

// marked waits until a restore point is listed as not whole.
func (w *world) marked(dir string, v *vault.Vault) {
	for end := time.Now().Add(patience); w.whole(dir) == len(w.shots); time.Sleep(2 * time.Millisecond) {
		if must(v.Settle(true)); time.Now().After(end) {
			panic("no restore point is marked")
		}
	}
}

func (w *world) whole(dir string) (n int) {
	infos, err := vault.List(dir)
	must(err)
	for _, i := range infos {
		if i.State == vault.Whole {
			n++
		}
	}
	return n
}

// healed sends everything again until all is whole.
func (w *world) healed(dir string, v *vault.Vault, when string) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if w.whole(dir) == len(w.shots) {
			return
		}
		for _, s := range w.shots {
			w.send(v, s, nil)
		}
	}
	panic(when + ": not all is whole again")
}

// checkHealing looks at a vault after a cut amid a healing.
func checkHealing(o order) {
	w := newWorld(o.Seed, o.Snapshots)
	if len(o.Whole) > 0 {
		w.verify(o.Vault, o.Whole) // all of it had been healed
	}
	v := w.open(o.Vault, vault.Options{})
	w.scrub(o.Vault, v)
	w.verifyListed(o.Vault)
	w.healed(o.Vault, v, "after the cut")
	w.scrub(o.Vault, v) // makes second copies anew
	if s := w.scrub(o.Vault, v); s.Found > 0 {
		fail("in the end a scrub finds %v", s.Findings)
	}
	var all []string
	for _, s := range w.shots {
		all = append(all, s.Ref())
	}
	w.verify(o.Vault, all)
	must(v.Close())
	w.checkLeftOvers(o.Vault)
}
