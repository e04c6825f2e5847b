package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/internal/masschange"
)

const (
	marksDir   = "marks"   // SENDER/SOURCE/NAME.json: why a restore point is suspicious
	historyDir = "history" // SENDER/SOURCE.json: how its snapshots differed
	jsonSuffix = ".json"
	// samplesMost bounds the files of a snapshot that are looked into.
	samplesMost = 256
	// takenAhead is how far the time of a snapshot may be ahead of the vault's
	// clock, before the snapshot is suspicious.
	takenAhead = 24 * time.Hour
	maxHistory = 1 << 20 // bytes of a file of either kind
)

// mark says why a restore point is suspicious.
type mark struct {
	At       time.Time `json:"at"` // by the vault's clock
	Reasons  []string  `json:"reasons"`
	Accepted time.Time `json:"accepted,omitzero"` // when an operator said that it is good
}

func (l layout) mark(s Snapshot) string {
	return l.own(marksDir, s.Sender, s.Source, s.Name()+jsonSuffix)
}

func (l layout) history(s Snapshot) string {
	return l.own(historyDir, s.Sender, s.Source+jsonSuffix)
}

// judge marks a snapshot before it is published, if it differs from the one before
// as none of that source did. The mark is on the disk before the restore point is.
func (v *Vault) judge(p *pending, m masschange.Measure, history []masschange.Measure) error {
	limits := masschange.Defaults()
	if v.opt.MassChange != nil {
		limits = v.opt.MassChange(p.Sender, p.Source)
	}
	reasons := masschange.Judge(m, history, limits)
	if ahead := p.Taken.Sub(v.clock.read()); ahead > takenAhead {
		reasons = append(reasons, fmt.Sprintf("it says to be taken %v after this vault's present time", ahead.Round(time.Hour)))
	}
	if len(reasons) > 0 {
		m.Suspicious = true
		if err := v.writeJSON(v.mark(p.snap), mark{At: v.clock.read(), Reasons: reasons}); err != nil {
			return err
		}
		v.suspect(p, reasons)
	}
	return v.writeJSON(v.history(p.snap), masschange.Remember(history, m))
}

func (v *Vault) suspect(p *pending, reasons []string) {
	text := strings.Join(reasons, "; ")
	if v.events.told(event.MassChange, p.snap.Ref()) {
		return // before a crash
	}
	v.note(event.MassChange, p.snap, text)
	v.log.Error().Str(event.Field, event.MassChange).Str("snapshot", p.snap.Ref()).Strs("reasons", reasons).
		Msg("this snapshot differs from the ones before as none did; it and the older restore points of the source are kept until somebody says `weir-vault accept`")
}

// measureChange compares the manifest with that of the restore point before. Damage
// of what is stored keeps nothing new from being stored: then it is measured alone.
func (b *builder) measureChange(p *pending, history []masschange.Measure) (masschange.Measure, error) {
	m, err := b.compare(p, b.manifestBefore(p.snap, history))
	if errors.Is(err, masschange.ErrBefore) && b.stopped() == nil {
		m, err = b.compare(p, "")
		m.Blind = true
	}
	return m, err
}

// compare measures the manifest against the one at a path, "" for none.
func (b *builder) compare(p *pending, path string) (m masschange.Measure, err error) {
	next, closeNext, err := b.openManifest(filepath.Join(b.pending(p.snap), manifestFile))
	if err != nil {
		return m, err
	}
	defer closeNext()
	var before *manifest.Reader
	if path != "" {
		r, closeBefore, err := b.openManifest(path)
		switch {
		case err == nil:
			defer closeBefore()
			before = r
		case !errors.Is(err, fs.ErrNotExist): // it may have been removed meanwhile
			return m, fmt.Errorf("%w: %w", masschange.ErrBefore, err)
		}
	}
	picked, seen := []*manifest.Entry(nil), 0
	m, err = masschange.Compare(before, next, func(e *manifest.Entry) {
		if e.Size < masschange.MinSample || !isObject(e) {
			return
		}
		// Each has the same chance, and nobody knows which are looked at.
		kept := &manifest.Entry{Object: e.Object, Size: e.Size}
		if seen++; len(picked) < samplesMost {
			picked = append(picked, kept)
		} else if i := rand.IntN(seen); i < samplesMost {
			picked[i] = kept
		}
	})
	m.Name = p.snap.Name()
	for _, e := range picked {
		if serr := b.stopped(); serr != nil {
			return m, serr
		}
		if sample := b.sample(key{p.Sender, ObjectID(e.Object)}, e.Size); len(sample) >= masschange.MinSample {
			m.Sampled++
			if masschange.Dense(sample) {
				m.Dense++
			}
		}
	}
	return m, err
}

// manifestBefore returns the path of the manifest to compare with: of the restore
// point published last, as far as it is still there, or else of the newest.
func (l layout) manifestBefore(s Snapshot, history []masschange.Measure) string {
	dir := filepath.Dir(l.point(s))
	for i := len(history) - 1; i >= 0; i-- {
		if name := history[i].Name; name != s.Name() && exists(filepath.Join(dir, name, manifestFile)) {
			return filepath.Join(dir, name, manifestFile)
		}
	}
	entries, err := os.ReadDir(dir)
	for i := len(entries) - 1; err == nil && i >= 0; i-- {
		if o, err := parseName(s.Sender, s.Source, entries[i].Name()); err == nil && o.Name() != s.Name() {
			return filepath.Join(l.point(o), manifestFile)
		}
	}
	return ""
}

// sample reads bytes from four places of an object.
func (l layout) sample(k key, size int64) []byte {
	f, err := os.Open(l.object(k))
	if err != nil {
		return nil
	}
	defer f.Close()
	const places = 4
	var out []byte
	part := min(size/places, masschange.SampleBytes/places)
	for i := range int64(places) {
		buf := make([]byte, part)
		n, _ := f.ReadAt(buf, i*(size/places))
		out = append(out, buf[:n]...)
	}
	if len(bytes.Trim(out, "\x00")) == 0 {
		return nil // a hole says nothing
	}
	return out
}

func (b *builder) openManifest(path string) (*manifest.Reader, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := manifest.NewReader(&diskReader{file: f, stopped: b.stopped}, manifest.Limits{})
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return r, f.Close, nil
}

func (v *Vault) writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := v.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return v.disk.replace(path, append(data, '\n'), 0o644)
}

// readHistory returns what is known of a source; one that cannot be read is none.
func readHistory(l layout, s Snapshot) (history []masschange.Measure) {
	if readJSON(l.history(s), &history) != nil {
		return nil
	}
	return history
}

func readJSON(path string, value any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return json.NewDecoder(io.LimitReader(f, maxHistory)).Decode(value)
}

// suspicions returns why a restore point is suspicious, nothing if it is not or
// was accepted. A mark that cannot be read counts.
func suspicions(l layout, s Snapshot) []string {
	var m mark
	err := readJSON(l.mark(s), &m)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !m.Accepted.IsZero():
		return nil
	case err != nil:
		return []string{"its mark cannot be read: " + err.Error()}
	}
	return m.Reasons
}
