package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// savedObject is the map file of a partial object.
type savedObject struct {
	Held ranges    `json:"held"`
	End  *savedEnd `json:"end,omitempty"`
}

type savedEnd struct {
	Size   int64      `json:"size"`
	SHA256 string     `json:"sha256"`
	Holes  [][2]int64 `json:"holes,omitempty"`
}

// load reads the map of a partial object. One that is damaged counts as empty.
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
	o.held = s.Held
	if s.End != nil {
		o.end = &end{content: content{Size: s.End.Size}, Holes: s.End.Holes}
		if !decodeHash(s.End.SHA256, &o.end.SHA256) {
			o.end = nil
		}
	}
	return nil
}

func (v *Vault) oldest() *object {
	var first *object
	for _, o := range v.open {
		if first == nil || o.used < first.used {
			first = o
		}
	}
	return first
}

// park saves the map of a partial object and closes it.
func (v *Vault) park(o *object) error {
	err := v.saveMap(o)
	delete(v.open, o.key)
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// saveMap syncs the data and then writes down which of it is there. A failed
// sync drops the object: its pages cannot be trusted any more.
func (v *Vault) saveMap(o *object) error {
	if o.dirty == 0 {
		return nil
	}
	if err := v.disk.sync(o.file); err != nil {
		v.drop(o)
		return fmt.Errorf("syncing a partial object: %w", err)
	}
	v.disk.point("object-synced")
	s := savedObject{Held: o.held}
	if o.end != nil {
		s.End = &savedEnd{o.end.Size, o.end.SHA256.String(), o.end.Holes}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	o.dirty, o.saved = 0, v.opt.Now()
	v.partial[o.key] = true
	return v.disk.replace(v.incoming(o.key)+mapSuffix, data, 0o600)
}

// drop throws a partial object away.
func (v *Vault) drop(o *object) {
	delete(v.open, o.key)
	delete(v.partial, o.key)
	if o.file != nil {
		o.file.Close()
	}
	os.Remove(v.incoming(o.key) + mapSuffix)
	os.Remove(v.incoming(o.key))
}

func decodeHash(s string, h *Hash) bool {
	b, err := hex.DecodeString(s)
	return err == nil && copy(h[:], b) == len(b) && len(b) == len(h)
}

// findPartial notes which partial objects an earlier process left. Without a map
// nothing in a file can be trusted, so such files go.
func (v *Vault) findPartial() error {
	files, err := filepath.Glob(filepath.Join(globQuote(v.own("incoming")), "*", "*"))
	for _, path := range files {
		name, isMap := strings.CutSuffix(filepath.Base(path), mapSuffix)
		k := key{sender: filepath.Base(filepath.Dir(path))}
		id, err := hex.DecodeString(name)
		if err != nil || copy(k.id[:], id) != len(k.id) {
			continue // not ours
		}
		if isMap {
			v.partial[k] = true
		} else if !exists(path + mapSuffix) {
			os.Remove(path)
		}
	}
	return err
}
