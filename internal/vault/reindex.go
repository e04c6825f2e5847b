package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/event"
	"weir/internal/manifest"
)

// reindex fills the catalog from the manifests of the restore points, and
// returns how many objects it found.
func (v *Vault) reindex() (int, error) {
	infos, err := listPoints(v.layout)
	if err != nil {
		return 0, err
	}
	found := 0
	for _, s := range infos {
		all := map[key]content{}
		err := eachEntry(filepath.Join(v.point(s), manifestFile), func(e *manifest.Entry) error {
			k := key{s.Sender, ObjectID(e.Object)}
			if st, err := os.Stat(v.layout.object(k)); isObject(e) && err == nil && st.Size() == e.Size {
				all[k] = content{e.Size, Hash(e.SHA256)}
			}
			return nil
		})
		if err != nil {
			v.log.Error().Str(event.Field, event.ManifestRefused).Str("snapshot", s.Ref()).Err(err).Msg("a stored manifest is damaged")
			continue
		}
		found += len(all)
		if err := v.catalog.put(all); err != nil {
			return found, err
		}
	}
	return found, nil
}

// Reindex rebuilds the catalog of a vault that nobody writes to. It returns how
// many objects it holds.
func Reindex(dir string) (int, error) {
	v, err := Open(dir, Options{})
	if err != nil {
		return 0, err
	}
	path := v.own("catalog.db")
	if err := v.catalog.close(); err != nil {
		return 0, fmt.Errorf("closing the catalog: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("removing the catalog: %w", err)
	}
	if v.catalog, _, err = openCatalog(path); err != nil {
		return 0, err
	}
	n, err := v.reindex()
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	return n, err
}
