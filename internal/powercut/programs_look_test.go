package powercut

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Sources of a host: one only grows, so that all of its snapshots can be sent again
// at any time; of the other each snapshot replaces what was before, and retention
// keeps a few.
const (
	grows   = "grows"
	changes = "changes"
	// keepRules are the rules of the second.
	keepRules = "\n[[source]]\nsource = \"changes\"\nkeep_last = 2\n"
)

// grow adds some files to a directory, now and then more than are synced one by one.
func grow(dir string, rng *rand.Rand, n int) error {
	count := 1 + rng.IntN(4)
	if n%6 == 5 {
		count = 45
	}
	for i := range count {
		size := []int{rng.IntN(5000), rng.IntN(5000), 70000, 1<<20 + rng.IntN(1<<20)}[rng.IntN(4)]
		if count > 4 {
			size = rng.IntN(3000)
		}
		if err := fill(filepath.Join(dir, fmt.Sprint("d", n%3), fmt.Sprint(n, "-", i)), size, rng); err != nil {
			return err
		}
	}
	return nil
}

func fill(path string, size int, rng *rand.Rand) error {
	b := make([]byte, size)
	for i := 0; i+8 <= size; i += 8 {
		x := rng.Uint64()
		for j := range 8 {
			b[i+j] = byte(x >> (8 * j))
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// replaced makes the directory of the second source anew.
func replaced(dir string, rng *rand.Rand) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for i := range 3 {
		if err := fill(filepath.Join(dir, fmt.Sprint(i)), 1+rng.IntN(100_000), rng); err != nil {
			return err
		}
	}
	return nil
}

// verifyWhole holds, with the real weir-vault, that what was reported whole is
// listed, and that what is listed as whole, or as many of the latest as are asked
// for, is so to the last bit. What retention removed, by the event log, may be gone.
func (h *host) verifyWhole(reported []string, latest int) error {
	all, err := h.list()
	if err != nil {
		return err
	}
	var whole []string
	for _, l := range all {
		if l.State == "whole" {
			whole = append(whole, l.ref())
		}
	}
	for _, ref := range append(slices.Clone(reported), h.told("snapshot-whole")...) {
		if !slices.Contains(whole, ref) && !h.gone(ref) {
			return fmt.Errorf("%s was reported whole and is not listed so; listed are %v", ref, all)
		}
	}
	if len(whole) > latest {
		slices.SortFunc(whole, func(a, b string) int { return strings.Compare(filepath.Base(b), filepath.Base(a)) })
		whole = whole[:latest]
	}
	for _, ref := range whole {
		if _, err := h.try("weir-vault", "verify", ref, "--vault", h.vault); err != nil {
			return fmt.Errorf("it is listed as whole: %w", err)
		}
	}
	return nil
}

// told returns the snapshots of which the event log tells something. Its last line
// may be cut short.
func (h *host) told(what string) (refs []string) {
	data, _ := os.ReadFile(filepath.Join(h.vault, ".weir", "events.jsonl"))
	for line := range strings.Lines(string(data)) {
		var e struct{ Event, Snapshot string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Event == what {
			refs = append(refs, e.Snapshot)
		}
	}
	return refs
}

// gone reports whether retention removed a restore point, or was about to.
func (h *host) gone(ref string) bool {
	if slices.Contains(h.told("snapshot-removed"), ref) {
		return true
	}
	_, err := os.Stat(filepath.Join(h.vault, ".weir", "trash", strings.ReplaceAll(ref, "/", "+")))
	return err == nil
}

const (
	rounds     = 8                       // of repair codes, until all must be whole
	roundEvery = 3500 * time.Millisecond // the receiver waits for quiet, then knows what lacks
)

// completes starts the weir-recv that is shipped and sends until everything is
// whole: a new snapshot of each source, and what the repair codes ask for.
func (h *host) completes(grown, changed string) error {
	pushed := [][2]string{{grows, grown}, {changes, changed}}
	for range rounds {
		if err := h.goesOn(pushed); err != nil {
			return err
		}
		// A heartbeat may have told of more when all that was known was whole.
		all, err := h.list()
		if err != nil {
			return err
		}
		if len(lacking(all)) == 0 {
			break
		}
		pushed = nil
	}
	if err := h.verifyWhole(nil, 1<<20); err != nil {
		return err
	}
	if _, err := h.try("weir-vault", "events", "--verify", "--vault", h.vault); err != nil {
		return err
	}
	return h.nothingLeft()
}

// goesOn runs the weir-recv that is shipped until all that it knows of is whole.
func (h *host) goesOn(pushed [][2]string) error {
	r, err := h.begin(nil, nil)
	if err != nil {
		return err
	}
	defer func() { r.cmd.Process.Kill(); <-r.done }()
	if err := r.ready(); err != nil {
		return err
	}
	for _, push := range pushed {
		if err := h.push(push[0], push[1]); err != nil {
			return err
		}
	}
	if err := h.untilWhole(); err != nil {
		return fmt.Errorf("%w\n%s", err, r.log())
	}
	if err := h.untilSwept(); err != nil {
		return fmt.Errorf("%w\n%s", err, r.log())
	}
	return r.stop()
}

// untilSwept waits until what was removed is gone: that goes on bit by bit.
func (h *host) untilSwept() error {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		left, _ := os.ReadDir(filepath.Join(h.vault, ".weir", "trash"))
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the trash is not emptied: %v", left)
		}
	}
}

func (h *host) untilWhole() error {
	var lacks []string
	for range rounds {
		for end := time.Now().Add(roundEvery); time.Now().Before(end); time.Sleep(150 * time.Millisecond) {
			all, err := h.list()
			if err != nil {
				return err
			}
			if lacks = append(lacking(all), h.unseen(all)...); len(lacks) == 0 {
				return nil
			}
		}
		if err := h.resend(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%v do not become whole", lacks)
}

// lacking returns what has to become whole and is not: all of the source that
// grows, the latest of the other.
func lacking(all []listed) (refs []string) {
	latest := map[string]listed{}
	for _, l := range all {
		if old, ok := latest[l.Source]; !ok || strings.Compare(old.Name, l.Name) < 0 {
			latest[l.Source] = l
		}
	}
	for _, l := range all {
		if l.State != "whole" && (l.Source == grows || latest[l.Source] == l) {
			refs = append(refs, l.ref())
		}
	}
	if len(latest) < 2 {
		refs = append(refs, "one of the sources")
	}
	return refs
}

// resend types the repair codes at the sender.
func (h *host) resend() error {
	out, errs, code := h.run("weir-vault", "missing", "--json", "--vault", h.vault)
	if code != 0 && code != 3 {
		return fmt.Errorf("weir-vault missing ended with %d:\n%s%s", code, out, errs)
	}
	var m struct{ Codes []struct{ Code string } }
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return err
	}
	for _, c := range m.Codes {
		if c.Code != "" {
			// What changed since cannot be sent again: that is told by 3.
			if out, errs, code := h.run("weir-send", "resend", c.Code, "--config", h.file("prod.toml")); code != 0 && code != 3 {
				return fmt.Errorf("weir-send resend %s ended with %d:\n%s%s", c.Code, code, out, errs)
			}
		}
	}
	return nil
}

// nothingLeft holds that cuts and kills leave nothing that stays for ever: no staged
// tree, no partial object and no pending snapshot but of what cannot be sent again,
// no object that no restore point links.
func (h *host) nothingLeft() error {
	own := func(below ...string) string { return filepath.Join(append([]string{h.vault, ".weir"}, below...)...) }
	for _, dir := range []string{own("staging"), own("trash"), own("pending", sender, grows)} {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			return fmt.Errorf("%s holds %v", dir, left)
		}
	}
	partial, _ := os.ReadDir(own("incoming", sender))
	for _, e := range partial {
		data, err := os.ReadFile(own("incoming", sender, strings.TrimSuffix(e.Name(), ".map")+".map"))
		if err != nil || !strings.Contains(string(data), `"of":"`+changes+"/") {
			return fmt.Errorf("incoming holds %s, whose map says %s, %v", e.Name(), data, err)
		}
	}
	wanted, err := h.wanted()
	if err != nil {
		return err
	}
	return filepath.WalkDir(own("objects"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Nlink < 2 && !wanted[d.Name()] {
			err = fmt.Errorf("no restore point links %s, and nothing asks for it", p)
		}
		return err
	})
}

// wanted returns the objects that snapshots ask for that are not whole.
func (h *host) wanted() (map[string]bool, error) {
	ids := map[string]bool{}
	dirs, err := filepath.Glob(filepath.Join(h.vault, ".weir", "pending", sender, changes, "*"))
	for _, dir := range dirs {
		text, merr := os.ReadFile(filepath.Join(dir, "manifest.jsonl"))
		for line := range strings.Lines(string(text)) {
			var e struct{ Object string }
			if json.Unmarshal([]byte(line), &e) == nil {
				ids[e.Object] = true
			}
		}
		var saved struct {
			Ref *struct{ Object [16]byte }
		}
		info, _ := os.ReadFile(filepath.Join(dir, "info.json"))
		if json.Unmarshal(info, &saved) == nil && saved.Ref != nil {
			ids[hex.EncodeToString(saved.Ref.Object[:])] = true
		}
		if merr != nil { // it may ask for anything
			objects, _ := filepath.Glob(filepath.Join(h.vault, ".weir", "objects", sender, "*", "*"))
			for _, o := range objects {
				ids[filepath.Base(o)] = true
			}
		}
	}
	return ids, err
}
