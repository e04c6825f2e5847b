package vault

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/event"
)

// savedObject is the map file of a partial object.
type savedObject struct {
	Of   string    `json:"of,omitempty"` // the snapshot that it came for
	Held ranges    `json:"held"`
	End  *savedEnd `json:"end,omitempty"`
}

type savedEnd struct {
	Size   int64      `json:"size"`
	SHA256 string     `json:"sha256"`
	Holes  [][2]int64 `json:"holes,omitempty"`
}

// load reads the map of a partial object. One that is damaged, or whose file is
// shorter than it says, counts as empty.
func (o *object) load(path string) error {
	data, err := os.ReadFile(path + mapSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the map of a partial object: %w", err)
	}
	var s savedObject
	if json.Unmarshal(data, &s) != nil || !s.Held.valid() {
		return nil
	}
	if st, err := os.Lstat(path); err != nil || st.Size() < s.Held.end() {
		return nil
	}
	o.held, o.safe = s.Held, slices.Clone(s.Held)
	if s.Of != "" {
		o.of = s.Of
	}
	if s.End != nil {
		o.end = &end{content: content{Size: s.End.Size}, Holes: s.End.Holes}
		if !decodeHash(s.End.SHA256, &o.end.SHA256) {
			o.end = nil
		}
	}
	return nil
}

// oldest returns the half of the open objects that was not used for longest, of the
// sender that has most: no other has to make room for it. Those that only wait to be
// read back go last: they would have to be read from their starts again.
func (v *Vault) oldest() []*object {
	of := map[string][]*object{}
	var most []*object
	for k, o := range v.open {
		of[k.sender] = append(of[k.sender], o)
		if len(of[k.sender]) > len(most) {
			most = of[k.sender]
		}
	}
	slices.SortFunc(most, func(a, b *object) int {
		if a.lacksNothing() != b.lacksNothing() {
			if b.lacksNothing() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.used, b.used)
	})
	return most[:(len(most)+1)/2]
}

// park saves the maps of partial objects and closes them.
func (v *Vault) park(objects ...*object) error {
	for _, o := range objects {
		if o.lacksNothing() {
			v.ready = append(v.ready, o.key)
		}
	}
	err := v.saveMaps(objects)
	for _, o := range objects {
		delete(v.open, o.key)
		if cerr := o.file.Close(); err == nil {
			err = cerr
		}
		if _, mapped := v.partial[o.key]; !mapped {
			os.Remove(v.incoming(o.key)) // nothing came of it but its name
		}
	}
	return err
}

// notePartial notes that an object has a map on disk, and the snapshot it came for.
func (v *Vault) notePartial(k key, of string) {
	if _, known := v.partial[k]; !known {
		v.partials[k.sender]++
	}
	v.partial[k] = of
}

func (v *Vault) forgetPartial(k key) {
	if _, known := v.partial[k]; known {
		v.partials[k.sender]--
	}
	delete(v.partial, k)
}

// mayBeginObject returns ErrLimit where a sender has too many partial objects for
// one more: each is two files, and nobody waits for what is made up.
func (v *Vault) mayBeginObject(k key) error {
	if _, known := v.partial[k]; !known && v.partials[k.sender] >= v.partialMost && v.damage[k] == nil {
		v.noteOften(event.ObjectRefused, Snapshot{Sender: k.sender}, fmt.Sprintf("%d objects of it are not complete", v.partials[k.sender]))
		return fmt.Errorf("%s has %d objects that are not complete: %w; when they are not worth waiting for, give up their snapshots with weir-vault drop", k.sender, v.partials[k.sender], ErrLimit)
	}
	return nil
}

// saveMap syncs the data and then writes down which of it is there. What a failed
// sync leaves in doubt counts as missing.
func (v *Vault) saveMap(o *object) error {
	if o.dirty == 0 {
		return nil
	}
	if err := v.syncPartial(o); err != nil {
		v.revert(o)
		return fmt.Errorf("syncing a partial object: %w", err)
	}
	v.disk.point("object-synced")
	if err := v.writeMap(o); err != nil {
		return err
	}
	o.dirty, o.saved = 0, v.opt.Now()
	return nil
}

// syncPartial syncs the file of a partial object.
func (v *Vault) syncPartial(o *object) error {
	if err := o.lengthen(); err != nil {
		return err
	}
	return v.disk.sync(o.file)
}

// lengthen makes the file at least as long as what it holds: a hole at its end was
// never written.
func (o *object) lengthen() error {
	st, err := o.file.Stat()
	if err == nil && st.Size() < o.held.end() {
		err = o.file.Truncate(o.held.end())
	}
	return err
}

func (v *Vault) writeMap(o *object) error {
	data, err := o.mapped()
	if err != nil {
		return err
	}
	v.notePartial(o.key, o.of)
	if err := v.disk.replace(v.incoming(o.key)+mapSuffix, data, 0o600); err != nil {
		return err
	}
	o.safe = slices.Clone(o.held)
	return nil
}

// mapped returns the content of the map file.
func (o *object) mapped() ([]byte, error) {
	s := savedObject{Of: o.of, Held: o.held}
	if o.end != nil {
		s.End = &savedEnd{o.end.Size, o.end.SHA256.String(), o.end.Holes}
	}
	return json.Marshal(s)
}

// nearby is how far around bytes that failed to sync the neighbours are in doubt
// too, in bytes: a disk may have torn the block that they share.
const nearby = 64 << 10

// revert takes a partial object back to what was synced before. The bytes that
// failed are written anew when they come again; that their pages are in memory,
// and look clean, says nothing.
func (v *Vault) revert(o *object) {
	safe := slices.Clone(o.safe)
	for _, h := range o.held {
		for _, gap := range o.safe.lacking(h[0], h[1]) {
			safe.remove(gap[0]-nearby, gap[1]+nearby)
		}
	}
	o.held, o.hash, o.frontier, o.dirty, o.out = safe, sha256.New(), 0, 0, writeback{}
	if len(safe) == 0 || v.writeMap(o) != nil {
		v.drop(o)
	}
}

// drop throws a partial object away.
func (v *Vault) drop(o *object) {
	delete(v.open, o.key)
	if o.file != nil {
		o.file.Close()
	}
	v.dropPartial(o.key)
}

// dropPartial removes the files of a partial object that is not open.
func (v *Vault) dropPartial(k key) {
	v.arrived(k)
	if err := v.removeMap(k); err != nil {
		v.troubled(err)
	}
	os.Remove(v.incoming(k))
	v.forgetPartial(k)
}

// removeMap removes a map, and makes sure of it: if it came back after a power
// cut, it would speak of bytes that are written by then and not synced.
func (v *Vault) removeMap(k key) error {
	err := os.Remove(v.incoming(k) + mapSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing a map: %w", err)
	}
	return v.disk.syncPath(filepath.Dir(v.incoming(k)))
}

func decodeHash(s string, h *Hash) bool {
	b, err := hex.DecodeString(s)
	return err == nil && copy(h[:], b) == len(b) && len(b) == len(h)
}

// findPartial notes which partial objects an earlier process left. Without a map
// nothing in a file can be trusted, so such files go; and so does what an
// interrupted write left, and a map whose file is gone.
func (v *Vault) findPartial() error {
	files, err := filepath.Glob(filepath.Join(globQuote(v.own("incoming")), "*", "*"))
	for _, path := range files {
		base, isMap := strings.CutSuffix(path, mapSuffix)
		k := key{sender: filepath.Base(filepath.Dir(path))}
		id, err := hex.DecodeString(filepath.Base(base))
		if err != nil || copy(k.id[:], id) != len(k.id) {
			if strings.HasSuffix(path, newSuffix) {
				os.Remove(path)
			}
			continue // not ours
		}
		if !isMap {
			if !exists(path + mapSuffix) {
				os.Remove(path)
			}
			continue
		}
		var o object
		if err := o.load(base); err != nil || len(o.held) == 0 {
			v.dropPartial(k)
			continue
		}
		v.notePartial(k, o.of)
		if o.lacksNothing() {
			v.ready = append(v.ready, k)
		}
	}
	return err
}

// completeReady completes the partial objects that lacked nothing when they were
// closed, by this process or the one before.
func (v *Vault) completeReady() {
	ready := v.ready
	v.ready = nil
	for _, k := range ready {
		of, ok := v.partial[k]
		if !ok || v.open[k] != nil {
			continue // it was completed, dropped or opened meanwhile
		}
		left := v.sums.of(k.sender)
		if *left <= 0 {
			v.sums.short[k.sender] = true
			v.ready = append(v.ready, k)
			continue
		}
		*left -= sumOpen
		o, err := v.openObject(k, of)
		if err == nil {
			err = v.complete(o)
		}
		if err != nil {
			v.troubled(err)
		}
	}
}
