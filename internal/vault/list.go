package vault

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/manifest"
)

// States of a snapshot.
const (
	Whole   = "whole"   // published: every file is there
	Partial = "partial" // not yet
	// Abandoned is one that the sender says it will never finish.
	Abandoned = "abandoned"
)

// Info is what is known of a snapshot.
type Info struct {
	Name         string    `json:"name"`
	Sender       string    `json:"sender"`
	Source       string    `json:"source"`
	Number       uint64    `json:"number"`
	Taken        time.Time `json:"taken"`    // by the sender's clock
	Received     time.Time `json:"received"` // by the vault's: published, or first heard of
	State        string    `json:"state"`
	Files        int64     `json:"files"` // 0 while the manifest has not come
	Bytes        int64     `json:"bytes"`
	MissingFiles int64     `json:"missing_files"`
	MissingBytes int64     `json:"missing_bytes"`
	Problems     int64     `json:"problems"` // files that the sender could not save well

	Suspicious []string `json:"suspicious,omitempty"` // why, until an operator accepts it
	// Revoked is when the key that signed it was revoked, if it was.
	Revoked time.Time `json:"signer_revoked,omitzero"`
	// Locked is until when no command removes it; see AddLocks.
	Locked time.Time `json:"locked,omitzero"`
	// AbandonedAt is when the vault heard that the sender will never finish it.
	AbandonedAt time.Time `json:"abandoned,omitzero"`
	// Damaged counts the files of a restore point that was published and is not
	// whole any more; they are among MissingFiles.
	Damaged int64 `json:"damaged,omitempty"`
	// Building says that the manifest has come and that nothing is known to lack: it
	// is for weir-recv to check it and to build, or to tell what lacks.
	Building bool `json:"building,omitempty"`
}

// published reports whether it lies in the tree, whole or damaged.
func (i Info) published() bool { return i.State == Whole || i.Damaged > 0 }

// Snapshot returns the name of what i describes.
func (i Info) Snapshot() Snapshot {
	return Snapshot{Sender: i.Sender, Source: i.Source, Number: i.Number, Taken: i.Taken}
}

// List returns all snapshots of the vault, by sender, source and time. It needs
// no lock, also while a writer runs.
func List(dir string) ([]Info, error) {
	l := layout{dir}
	// The pending ones first: one that is published between the two looks is then
	// seen twice, not never.
	pending, err := listPending(l)
	if err != nil {
		return nil, err
	}
	points, err := listPoints(l)
	if err != nil {
		return nil, err
	}
	var all []Info
	whole := map[string]bool{}
	for _, s := range points {
		if l.unsettled(s) {
			continue
		}
		info, err := pointInfo(l, s)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all, whole[s.Ref()] = append(all, info), true
	}
	for _, p := range pending {
		if !whole[p.Snapshot().Ref()] {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b Info) int {
		return strings.Compare(a.Snapshot().Ref(), b.Snapshot().Ref())
	})
	markRevoked(l, all)
	return all, nil
}

// listPoints returns the restore points that are published.
func listPoints(l layout) ([]Snapshot, error) {
	if _, err := os.Stat(l.own()); err != nil {
		return nil, fmt.Errorf("%s is no vault: %w; mount its disk, or name the right directory", l.dir, err)
	}
	return snapshotsBelow(l.dir)
}

// snapshotsBelow finds SENDER/SOURCE/NAME directories.
func snapshotsBelow(dir string) ([]Snapshot, error) {
	dirs, err := filepath.Glob(filepath.Join(globQuote(dir), "*", "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("listing the vault: %w", err)
	}
	var all []Snapshot
	for _, d := range dirs {
		source := filepath.Dir(d)
		if s, err := parseName(filepath.Base(filepath.Dir(source)), filepath.Base(source), filepath.Base(d)); err == nil {
			all = append(all, s)
		}
	}
	return all, nil
}

func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// pointInfo describes a published restore point by its files alone.
func pointInfo(l layout, s Snapshot) (Info, error) {
	i := Info{Name: s.Name(), Sender: s.Sender, Source: s.Source, Number: s.Number, Taken: s.Taken, State: Whole}
	d, err := l.pointDamage(s)
	if err != nil {
		return i, err
	}
	t, err := readTrailer(filepath.Join(l.point(s), manifestFile))
	switch {
	case err != nil && !exists(l.point(s)):
		return i, fmt.Errorf("reading %s: %w", s.Ref(), err)
	case err != nil && d.empty(): // nobody has marked it yet
		d.Own = map[string]string{manifestFile: err.Error()}
	}
	i.Files, i.Bytes, i.Problems, i.Suspicious = t.Files, t.Bytes, t.Problems, suspicions(l, s)
	if !d.empty() {
		i.State = Partial
		i.MissingFiles, i.MissingBytes = d.totals()
		i.Damaged = i.MissingFiles
	}
	if st, err := os.Stat(filepath.Join(l.point(s), sumsFile)); err == nil {
		i.Received = st.ModTime().UTC()
	}
	return i, nil
}

// trailerRoom is more than the last line of a manifest has, in bytes.
const trailerRoom = 4096

// readTrailer reads the totals from the end of a manifest, without all before.
func readTrailer(path string) (t manifest.Trailer, err error) {
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return t, err
	}
	tail := make([]byte, min(st.Size(), trailerRoom))
	if _, err := f.ReadAt(tail, st.Size()-int64(len(tail))); err != nil {
		return t, err
	}
	lines := bytes.Split(bytes.TrimSuffix(tail, []byte("\n")), []byte("\n"))
	var end struct {
		End                             bool
		Entries, Files, Bytes, Problems int64
	}
	if err := json.Unmarshal(lines[len(lines)-1], &end); err != nil || !end.End {
		return t, fmt.Errorf("%w: the last line of %s is no trailer", ErrDamaged, path)
	}
	return manifest.Trailer{Entries: end.Entries, Files: end.Files, Bytes: end.Bytes, Problems: end.Problems}, nil
}

func listPending(l layout) ([]Info, error) {
	found, err := snapshotsBelow(l.own("pending"))
	if err != nil {
		return nil, err
	}
	var all []Info
	for _, s := range found {
		p := pending{}
		data, err := os.ReadFile(filepath.Join(l.pending(s), infoFile))
		if err == nil {
			err = json.Unmarshal(data, &p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // published meanwhile
		}
		i := p.Info
		i.Name, i.Sender, i.Source, i.Number, i.Taken, i.State = s.Name(), s.Sender, s.Source, s.Number, s.Taken, Partial
		if !i.AbandonedAt.IsZero() {
			i.State = Abandoned
		}
		i.Building = i.State == Partial && i.MissingFiles == 0 && i.MissingBytes == 0 && l.manifestLies(s, p.Ref)
		all = append(all, i)
	}
	return all, nil
}

// manifestLies reports whether the manifest of a pending snapshot is there: checked, or
// as it came.
func (l layout) manifestLies(s Snapshot, ref *ManifestRef) bool {
	if exists(filepath.Join(l.pending(s), manifestFile)) {
		return true
	}
	if ref == nil {
		return false
	}
	st, err := os.Lstat(l.object(key{s.Sender, ref.Object}))
	return err == nil && st.Size() == ref.ObjectSize
}

// Found is a snapshot that was looked up.
type Found struct {
	Info
	Dir      string // where it lies
	Manifest string // path of the manifest, "" while it has not come
	layout   layout
}

// Ref returns the full name of the snapshot.
func (f Found) Ref() string { return f.Snapshot().Ref() }

// ErrNotFound is returned for a name that no snapshot has.
var ErrNotFound = errors.New("no such snapshot; weir-vault list shows what there is")

// ErrAmbiguous is returned for a number that several snapshots have. A sender
// whose state was lost, or that is in an attacker's hands, gives one twice.
var ErrAmbiguous = errors.New("several snapshots have this number; give the full name of one")

// newness is when a snapshot was taken, or when it came if the sender's clock was
// far ahead of the vault's: nobody must be able to stay the newest for ever with a
// time in the future.
func (i Info) newness() time.Time {
	if !i.Received.IsZero() && i.Taken.Sub(i.Received) > takenAhead {
		return i.Received
	}
	return i.Taken
}

func compareNewness(a, b Info) int {
	return cmp.Or(a.newness().Compare(b.newness()), strings.Compare(a.Name, b.Name))
}

// Find looks a snapshot up by its full name, as SENDER/SOURCE@NUMBER, or as
// SENDER/SOURCE/latest, which is the newest whole one.
func Find(dir, ref string) (Found, error) {
	all, err := List(dir)
	if err != nil {
		return Found{}, err
	}
	source, name, match := cutRef(ref)
	matches := slices.DeleteFunc(all, func(i Info) bool { return i.Sender+"/"+i.Source != source || !match(i) })
	switch {
	case len(matches) == 1 || len(matches) > 0 && name == latestName:
		newest := slices.MaxFunc(matches, compareNewness)
		return found(layout{dir}, newest), nil
	case len(matches) > 1:
		return Found{}, fmt.Errorf("%s: %w: %s and %s", ref, ErrAmbiguous, matches[0].Name, matches[1].Name)
	case name == latestName:
		return Found{}, fmt.Errorf("%s has no whole snapshot: %w", source, ErrNotFound)
	}
	return Found{}, fmt.Errorf("%s: %w", ref, ErrNotFound)
}

// Lookup returns a snapshot that List has told of, without another look at all the
// others; ErrNotFound if it is not there any more, or is published by now.
func Lookup(dir string, i Info) (Found, error) {
	f := found(layout{dir}, i)
	if !exists(f.Dir) {
		return Found{}, fmt.Errorf("%s: %w", f.Ref(), ErrNotFound)
	}
	return f, nil
}

const latestName = "latest"

func cutRef(ref string) (source, name string, match func(Info) bool) {
	if source, number, ok := strings.Cut(ref, "@"); ok {
		n, err := strconv.ParseUint(number, 10, 64)
		return source, number, func(i Info) bool { return err == nil && i.Number == n }
	}
	at := strings.LastIndexByte(ref, '/')
	source, name = ref[:max(at, 0)], ref[at+1:]
	return source, name, func(i Info) bool {
		return i.Name == name || name == latestName && i.State == Whole
	}
}

func found(l layout, i Info) Found {
	f := Found{Info: i, layout: l, Dir: l.point(i.Snapshot())}
	if !i.published() {
		f.Dir = l.pending(i.Snapshot())
	}
	if path := filepath.Join(f.Dir, manifestFile); exists(path) {
		f.Manifest = path
	}
	return f
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Open opens the content of a file of the snapshot: its object, or, in a restore
// point whose objects are gone, its name in the tree. The content is not
// verified.
func (f Found) Open(e *manifest.Entry) (*os.File, error) {
	if f.published() {
		return os.OpenInRoot(filepath.Join(f.Dir, dataDir), e.Path)
	}
	return os.Open(f.layout.object(key{f.Sender, ObjectID(e.Object)}))
}

// MissingFile is a file of a snapshot that lacks something.
type MissingFile struct {
	Path   string     `json:"path"`
	Size   int64      `json:"size"`
	Ranges [][2]int64 `json:"ranges"` // offset and length of what lacks
}

// Missing goes through the files of a snapshot that are not whole. A snapshot
// without a manifest yields nothing: what it should hold is not known.
func Missing(dir string, f Found) iter.Seq2[MissingFile, error] {
	if f.State == Whole || f.Manifest == "" {
		return func(func(MissingFile, error) bool) {}
	}
	if f.published() {
		return damagedOf(layout{dir}, f.Snapshot())
	}
	return missingOf(layout{dir}, f.Snapshot(), f.Dir)
}

var errStop = errors.New("enough")

func missingOf(l layout, s Snapshot, dir string) iter.Seq2[MissingFile, error] {
	return func(yield func(MissingFile, error) bool) {
		err := eachEntry(filepath.Join(dir, manifestFile), func(e *manifest.Entry) error {
			if !isObject(e) {
				return nil
			}
			lacks := lacksOf(l, key{s.Sender, ObjectID(e.Object)}, e.Size)
			if len(lacks) > 0 && !yield(MissingFile{Path: e.Path, Size: e.Size, Ranges: lacks}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(MissingFile{}, err)
		}
	}
}

// lastPiece is what counts as missing of an object of which only the end is not
// known yet, in bytes: whoever sends it again sends the end too.
const lastPiece = 4096

// lacksOf returns offset and length of what an object lacks, as far as the disk
// tells.
func lacksOf(l layout, k key, size int64) [][2]int64 {
	if st, err := os.Lstat(l.object(k)); err == nil && st.Size() == size {
		return nil
	}
	var o object
	if o.load(l.incoming(k)) != nil {
		o.held = nil
	}
	var out [][2]int64
	for _, gap := range o.held.lacking(0, size) {
		out = append(out, [2]int64{gap[0], gap[1] - gap[0]})
	}
	if len(out) == 0 && o.end == nil {
		at := (size - 1) / lastPiece * lastPiece
		out = append(out, [2]int64{at, size - at})
	}
	return out
}
