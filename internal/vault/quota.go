package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// Quota bounds the content that a source, and its sender with all of its sources,
// may fill, in bytes; 0 for no bound. An object counts for the source that brought
// it first, also while it is incomplete.
type Quota struct{ Source, Sender int64 }

const (
	usageFile = "usage.json"
	maxUsage  = 64 << 20 // bytes of that file
	// quotaNear is from which share of a quota on, in percent, an alarm is raised.
	quotaNear = 90
)

// sourceKey names a source, or with source "" a sender as a whole.
type sourceKey struct{ sender, source string }

// account is what one of them fills.
type account struct {
	stored   int64 // recorded in the catalog
	arriving int64 // not yet
	told     string
}

// arrival is what has come of an object that is not recorded yet.
type arrival struct {
	source string
	bytes  int64
}

// openQuota adds up what is there. What a sender fills is the catalog's sum; the
// shares of its sources stand in a file of their own, which a crash may leave
// behind by what was under way.
func (v *Vault) openQuota() error {
	if v.opt.Quota == nil {
		return nil
	}
	err := guard(func() error {
		return v.catalog.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketObjects).ForEach(func(name, data []byte) error {
				o, err := parseCatalogued(name, data)
				v.account(sourceKey{o.sender, ""}).stored += o.Size
				return err
			})
		})
	})
	if err != nil {
		return fmt.Errorf("adding up what the senders fill: %w", err)
	}
	for k, of := range v.partial {
		source, _, _ := strings.Cut(of, "/")
		v.arrive(k, source, v.arrivedBefore(k))
	}
	return v.loadUsage()
}

// arrivedBefore returns how much an earlier process got of an object: what its map
// claims, without holes, which take no place on the disk.
func (v *Vault) arrivedBefore(k key) int64 {
	const sector = 512 // of st_blocks, stat(2)
	var st unix.Stat_t
	var o object
	if unix.Stat(v.incoming(k), &st) != nil || o.load(v.incoming(k)) != nil {
		return 0
	}
	return min(o.held.total(), st.Blocks*sector)
}

func (v *Vault) loadUsage() error {
	shares := map[string]int64{}
	data, err := readBounded(v.own(usageFile), maxUsage)
	if err == nil {
		err = json.Unmarshal(data, &shares)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.troubled(fmt.Errorf("reading what the sources fill: %w", err))
		}
		if shares, err = v.measureUsage(); err != nil {
			return err
		}
	}
	for name, n := range shares {
		sender, source, _ := strings.Cut(name, "/")
		v.account(sourceKey{sender, source}).stored = n
	}
	return nil
}

// measureUsage finds the shares of the sources from the manifests.
func (v *Vault) measureUsage() (map[string]int64, error) {
	points, err := listPoints(v.layout)
	if err != nil {
		return nil, err
	}
	shares, seen := map[string]int64{}, map[key]bool{}
	for _, s := range points {
		err := eachEntry(filepath.Join(v.point(s), manifestFile), func(e *manifest.Entry) error {
			if k := (key{s.Sender, ObjectID(e.Object)}); isObject(e) && !seen[k] {
				seen[k] = true
				shares[s.Sender+"/"+s.Source] += e.Size
			}
			return nil
		})
		if err != nil {
			v.troubled(err) // a scrub tells of it
		}
	}
	return shares, nil
}

// saveUsage needs no sync, see openQuota.
func (v *Vault) saveUsage() {
	shares := map[string]int64{}
	for k, a := range v.accounts {
		if k.source != "" {
			shares[k.sender+"/"+k.source] = a.stored
		}
	}
	data, err := json.Marshal(shares)
	path := v.own(usageFile)
	if err == nil {
		err = os.WriteFile(path+newSuffix, data, 0o644)
	}
	if err == nil {
		err = os.Rename(path+newSuffix, path)
	}
	if err != nil {
		v.troubled(err)
	}
}

func (v *Vault) account(k sourceKey) *account {
	a := v.accounts[k]
	if a == nil {
		a = &account{}
		v.accounts[k] = a
	}
	return a
}

// arrive counts bytes of an object that came.
func (v *Vault) arrive(k key, source string, n int64) {
	if v.opt.Quota == nil {
		return
	}
	a := v.arrivals[k]
	if a.source == "" {
		a.source = source
	}
	a.bytes += n
	v.arrivals[k] = a
	v.account(sourceKey{k.sender, a.source}).arriving += n
	if a.source != "" {
		v.account(sourceKey{k.sender, ""}).arriving += n
	}
}

// arrived takes an object off what is under way, and returns its source.
func (v *Vault) arrived(k key) string {
	a, ok := v.arrivals[k]
	if !ok {
		return ""
	}
	delete(v.arrivals, k)
	v.account(sourceKey{k.sender, a.source}).arriving -= a.bytes
	if a.source != "" {
		v.account(sourceKey{k.sender, ""}).arriving -= a.bytes
	}
	return a.source
}

// countFresh counts the objects that are recorded now.
func (v *Vault) countFresh() {
	if v.opt.Quota == nil {
		return
	}
	for k, c := range v.fresh {
		source := v.arrived(k)
		if v.damage[k] != nil {
			source = "" // it counts for its source still
		}
		v.stored(k.sender, source, c.Size)
	}
	v.saveUsage()
}

// stored counts n bytes more, or fewer, as recorded.
func (v *Vault) stored(sender, source string, n int64) {
	if v.opt.Quota == nil {
		return
	}
	names := []string{"", source}
	if source == "" {
		names = names[:1]
	}
	for _, name := range names {
		a := v.account(sourceKey{sender, name})
		a.stored = max(a.stored+n, 0)
	}
}

// overQuota reports whether n more bytes of an object are too many. What heals
// damage is never refused.
func (v *Vault) overQuota(s Snapshot, k key, n int) bool {
	if v.opt.Quota == nil || v.damage[k] != nil {
		return false
	}
	q := v.opt.Quota(s.Sender, s.Source)
	full := v.isOver(sourceKey{s.Sender, s.Source}, q.Source, int64(n))
	return v.isOver(sourceKey{s.Sender, ""}, q.Sender, int64(n)) || full
}

func (v *Vault) isOver(k sourceKey, limit, n int64) bool {
	if limit <= 0 {
		return false
	}
	a := v.account(k)
	used := a.stored + a.arriving
	switch {
	case used+n > limit:
		v.tellQuota(k, a, event.QuotaFull, used, limit)
		return true
	case float64(used) >= float64(limit)*quotaNear/100:
		v.tellQuota(k, a, event.QuotaNear, used, limit)
	case a.told != "" && float64(used) < float64(limit)*(quotaNear-5)/100:
		a.told = "" // there is room again
	}
	return false
}

// tellQuota raises each alarm once, until there is room again.
func (v *Vault) tellQuota(k sourceKey, a *account, name string, used, limit int64) {
	if a.told == name || a.told == event.QuotaFull {
		return
	}
	a.told = name
	who := strings.TrimSuffix(k.sender+"/"+k.source, "/")
	words := "a quota is nearly full; raise it, or let retention remove more"
	line := v.log.Warn()
	if name == event.QuotaFull {
		words, line = "a quota is full: what is new of it is not stored; raise it, or let retention remove more, and push again", v.log.Error()
	}
	line.Str(event.Field, name).Str("of", who).Int64("used", used).Int64("quota", limit).Msg(words)
	v.note(name, Snapshot{}, fmt.Sprintf("%s: %d of %d bytes", who, used, limit))
}
