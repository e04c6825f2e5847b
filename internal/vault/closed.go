package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"weir/internal/event"
)

// closedFile says that the vault was closed in good order: the catalog then has
// every object, and a look at the disk for each new one is saved. It tells what
// the catalog and the event log were then, so that a later change shows.
const closedFile = "closed"

type closedMark struct {
	Catalog string `json:"catalog"` // SHA-256 of the file
	Events  string `json:"events"`  // of the last line
}

// takeMark takes the mark away: from here on a crash leaves none. It returns nil
// where there is no mark.
func (v *Vault) takeMark() (*closedMark, error) {
	data, err := os.ReadFile(v.own(closedFile))
	if errors.Is(err, fs.ErrNotExist) {
		senders, rerr := os.ReadDir(v.own("objects"))
		v.orphans = rerr != nil || len(senders) > 0
		return nil, nil
	}
	if err == nil {
		err = os.Remove(v.own(closedFile))
	}
	if err == nil {
		err = v.disk.syncPath(v.own())
	}
	if err != nil {
		return nil, fmt.Errorf("taking the vault over: %w", err)
	}
	var m closedMark
	if json.Unmarshal(data, &m) != nil {
		v.orphans = true
		return nil, nil
	}
	return &m, nil
}

// leaveMark comes last, when the catalog is closed. What the mark speaks for is on
// the disk before it: where fsync(2) of the mark carries nothing else with it, as on
// btrfs, a power cut could otherwise bring removed objects back under a good mark,
// and nobody would look for them.
func (v *Vault) leaveMark() error {
	if err := v.syncFileSystem(); err != nil {
		return err
	}
	sum, _, err := sumFile(v.own(catalogFile))
	if err != nil {
		return fmt.Errorf("closing the vault: %w", err)
	}
	data, err := json.Marshal(closedMark{Catalog: sum.String(), Events: v.events.last})
	if err != nil {
		return err
	}
	return v.disk.replace(v.own(closedFile), data, 0o644)
}

const (
	catalogFile   = "catalog.db"
	damagedSuffix = ".damaged"
)

// openCatalog opens the index. One that is not what it was when it was closed, or
// that a crash has left in disorder, is put aside and made anew from the tree.
func (v *Vault) openCatalog(m *closedMark) error {
	path := v.own(catalogFile)
	if err := v.checkCatalog(path, m); err != nil {
		if err := v.putCatalogAside(err); err != nil {
			return err
		}
	}
	var err error
	v.catalog, v.unfilled, err = openCatalog(path)
	return err
}

func (v *Vault) putCatalogAside(why error) error {
	v.log.Error().Str(event.Field, event.VaultRecovered).Err(why).Msg("the catalog is damaged; it is put aside and rebuilt from the restore points")
	path := v.own(catalogFile)
	if err := os.Rename(path, path+damagedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("putting the damaged catalog aside: %w", err)
	}
	return nil
}

func (v *Vault) checkCatalog(path string, m *closedMark) error {
	if !exists(path) {
		return nil
	}
	if m == nil {
		err := salvageCatalog(path, &v.disk)
		if isFull(err) {
			// No room for a copy. It is checked when it is used.
			v.troubled(err)
			return nil
		}
		return err
	}
	sum, _, err := sumFile(path)
	if err == nil && sum.String() != m.Catalog {
		err = fmt.Errorf("%w: it was changed since the vault was closed", errCatalog)
	}
	return err
}

// mendEvery is how long another try to make an index anew waits, on a disk that
// still fails.
const mendEvery = 10 * time.Second

// mendCatalog makes an index anew that turned out to be damaged while it was in
// use.
func (v *Vault) mendCatalog() error {
	if v.catalog.broken() == nil && !v.unfilled || v.opt.Now().Before(v.mendAfter) {
		return nil
	}
	v.mendAfter = v.opt.Now().Add(mendEvery)
	if v.catalog.broken() != nil {
		v.catalog.abandon()
		if err := v.putCatalogAside(v.catalog.broken()); err != nil {
			return err
		}
		fresh, unfilled, err := openCatalog(v.own(catalogFile))
		if err != nil {
			return err // the broken one stays, and knows nothing
		}
		v.catalog, v.unfilled = fresh, unfilled
	}
	err := v.fillCatalog()
	for _, p := range v.pending {
		// While the index was not there, everything seemed to lack.
		p.stale, p.reported = p.manifest, false
	}
	return err
}
