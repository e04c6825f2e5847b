package vault

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"weir/internal/manifest"
	"weir/internal/repaircode"
)

// Repair is a code that makes snapshots of one sender whole when it is typed
// there.
type Repair struct {
	Sender    string   `json:"sender"`
	Code      string   `json:"code"`      // "" where none is short enough to be typed
	Snapshots []string `json:"snapshots"` // their full names
}

// How a repair code is made.
const (
	Typed     = iota // short enough to be typed, perhaps for more than what lacks
	Exact            // for what lacks, as long as it gets
	Manifests        // for nothing but manifests that have not come
)

// Repairs returns a code for each sender that has snapshots among those given
// that are not whole. It reads only, also while a writer runs.
func Repairs(dir string, all []Found, how int) ([]Repair, error) {
	bySender := map[string][]Found{}
	var senders []string
	for _, f := range all {
		if f.State == Whole || how == Manifests && f.Manifest != "" && !lostManifest(layout{dir}, f) {
			continue
		}
		if bySender[f.Sender] == nil {
			senders = append(senders, f.Sender)
		}
		bySender[f.Sender] = append(bySender[f.Sender], f)
	}
	var repairs []Repair
	for _, sender := range senders {
		r, err := repairOf(layout{dir}, sender, bySender[sender], how)
		if err != nil {
			return nil, err
		}
		repairs = append(repairs, r)
	}
	return repairs, nil
}

// repairOf makes the code for snapshots of one sender.
func repairOf(l layout, sender string, all []Found, how int) (Repair, error) {
	r := Repair{Sender: sender}
	var wanted []repaircode.Wanted
	known := map[string]Found{}
	for _, f := range all {
		lost := lostManifest(l, f)
		w := repaircode.Wanted{Source: f.Source, Number: f.Number, Manifest: how == Manifests || lost}
		if f.Manifest != "" && !lost {
			var err error
			if w.Lack, err = lackOf(l, f.Snapshot(), f.Dir, func(MissingFile) {}); err != nil {
				return r, err
			}
		}
		wanted = append(wanted, w)
		r.Snapshots = append(r.Snapshots, f.Ref())
		known[fmt.Sprint(f.Source, "@", f.Number)] = f
	}
	code, starts, ok := repaircode.Choose(wanted, how == Exact)
	if !ok {
		return r, nil
	}
	var bindings []repaircode.Binding
	for i, p := range code.Parts {
		f := known[fmt.Sprint(starts[i], "@", p.Number)]
		b, err := binding(l, f, p.Kind)
		if err != nil {
			return r, err
		}
		bindings = append(bindings, b)
	}
	r.Code = code.Text(repaircode.Key(bindings))
	return r, nil
}

// lostManifest reports whether a published restore point has no manifest any more
// that can be believed. What else it lacks is known once that came again.
func lostManifest(l layout, f Found) bool {
	if f.State == Whole || !f.published() {
		return false
	}
	d, err := l.pointDamage(f.Snapshot())
	return err == nil && len(d.lostOwn()) > 0
}

// binding ties a part of a code to the snapshot that it begins with.
func binding(l layout, f Found, kind repaircode.Kind) (b repaircode.Binding, err error) {
	b = repaircode.Binding{Sender: f.Sender, Source: f.Source, Number: f.Number, Taken: f.Taken}
	if kind == repaircode.Files || kind == repaircode.Units {
		b.Manifest, err = manifestSum(l, f)
	}
	return b, err
}

// manifestSum returns the hash of a snapshot's manifest: the one that its close
// named, or else that of the file.
func manifestSum(l layout, f Found) (Hash, error) {
	var saved struct {
		Ref *ManifestRef `json:"ref"`
	}
	data, err := os.ReadFile(filepath.Join(l.pending(f.Snapshot()), infoFile))
	if err == nil && json.Unmarshal(data, &saved) == nil && saved.Ref != nil {
		return saved.Ref.SHA256, nil
	}
	sum, _, err := sumFile(f.Manifest)
	if err != nil {
		return sum, fmt.Errorf("reading the manifest of %s: %w", f.Ref(), err)
	}
	return sum, nil
}

// lackOf gathers what a snapshot lacks, whose manifest lies in dir, and visits the
// files that lack something.
func lackOf(l layout, s Snapshot, dir string, visit func(MissingFile)) (*repaircode.Lack, error) {
	lack := &repaircode.Lack{}
	err := eachEntry(filepath.Join(dir, manifestFile), func(e *manifest.Entry) error {
		if !isObject(e) {
			return nil
		}
		gaps := lacksOf(l, key{s.Sender, ObjectID(e.Object)}, e.Size)
		lack.File(e.Size, gaps)
		if len(gaps) > 0 {
			visit(MissingFile{Path: e.Path, Size: e.Size, Ranges: gaps})
		}
		return nil
	})
	return lack, err
}

// repairCode returns the code for a snapshot that is not whole, "" if there is
// none.
func (v *Vault) repairCode(p *pending, lack *repaircode.Lack) string {
	code, _, ok := repaircode.Choose([]repaircode.Wanted{{Source: p.Source, Number: p.Number, Lack: lack}}, false)
	if !ok {
		return ""
	}
	b, err := binding(v.layout, found(v.layout, p.Info), code.Parts[0].Kind)
	if err != nil {
		v.troubled(err)
		return ""
	}
	return code.Text(repaircode.Key([]repaircode.Binding{b}))
}
