package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// Quota bounds the content that a source, and its sender with all of its sources,
// may fill. An object counts for the source that brought it first, also while it is
// incomplete.
type Quota struct{ Source, Sender Fill }

// Fill is an amount of content; as a bound, 0 is none.
type Fill struct {
	Bytes   int64 `json:"bytes"`
	Objects int64 `json:"objects"` // each is an inode of the disk
}

func (f Fill) plus(g Fill) Fill { return Fill{f.Bytes + g.Bytes, f.Objects + g.Objects} }

const (
	usageFile = "usage.json"
	maxUsage  = 64 << 20 // bytes of that file
	// quotaNear is from which share of a quota on, in percent, an alarm is raised.
	quotaNear = 90
	// quotaAgain is how long after an alarm there has to be room before another one is
	// raised: who sends now too much, now little, must not fill the log.
	quotaAgain = time.Hour
)

// sourceKey names a source, or with source "" a sender as a whole.
type sourceKey struct{ sender, source string }

// account is what one of them fills.
type account struct {
	stored   Fill                 // recorded in the catalog
	arriving Fill                 // not yet
	told     map[string]quotaTold // the latest event, of bytes and of objects
}

type quotaTold struct {
	event string
	at    time.Time // by this host's clock
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
	if err := v.sumCatalog(); err != nil {
		return err
	}
	for k, of := range v.partial {
		source, _, _ := strings.Cut(of, "/")
		v.arrive(k, source, v.arrivedBefore(k))
	}
	return v.loadUsage()
}

// sumCatalog adds up what the catalog has of each sender.
func (v *Vault) sumCatalog() error {
	if v.opt.Quota == nil {
		return nil
	}
	sums := map[string]Fill{}
	err := guard(func() error {
		return v.catalog.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketObjects).ForEach(func(name, data []byte) error {
				o, err := parseCatalogued(name, data)
				sums[o.sender] = sums[o.sender].plus(Fill{o.Size, 1})
				return err
			})
		})
	})
	if err != nil {
		return fmt.Errorf("adding up what the senders fill: %w", err)
	}
	for sender, sum := range sums {
		v.account(sourceKey{sender, ""}).stored = sum
	}
	return nil
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
	shares := map[string]Fill{}
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
func (v *Vault) measureUsage() (map[string]Fill, error) {
	points, err := listPoints(v.layout)
	if err != nil {
		return nil, err
	}
	shares, seen := map[string]Fill{}, map[key]bool{}
	for _, s := range points {
		err := eachEntry(filepath.Join(v.point(s), manifestFile), func(e *manifest.Entry) error {
			if k := (key{s.Sender, ObjectID(e.Object)}); isObject(e) && !seen[k] {
				seen[k] = true
				of := s.Sender + "/" + s.Source
				shares[of] = shares[of].plus(Fill{e.Size, 1})
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
	shares := map[string]Fill{}
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
		a = &account{told: map[string]quotaTold{}}
		v.accounts[k] = a
	}
	return a
}

// arrive counts bytes of an object that came, and the object with the first of them.
func (v *Vault) arrive(k key, source string, n int64) {
	if v.opt.Quota == nil {
		return
	}
	a, begun := v.arrivals[k]
	more := Fill{Bytes: n}
	if !begun {
		a.source, more.Objects = source, 1
	}
	a.bytes += n
	v.arrivals[k] = a
	v.arriving(sourceKey{k.sender, a.source}, more)
}

func (v *Vault) arriving(k sourceKey, more Fill) {
	a := v.account(k)
	a.arriving = a.arriving.plus(more)
	if k.source != "" {
		a = v.account(sourceKey{k.sender, ""})
		a.arriving = a.arriving.plus(more)
	}
}

// arrived takes an object off what is under way, and returns its source.
func (v *Vault) arrived(k key) string {
	a, ok := v.arrivals[k]
	if !ok {
		return ""
	}
	delete(v.arrivals, k)
	v.arriving(sourceKey{k.sender, a.source}, Fill{-a.bytes, -1})
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
		v.stored(k.sender, source, Fill{c.Size, 1})
	}
	v.saveUsage()
}

// stored counts more, or less, as recorded.
func (v *Vault) stored(sender, source string, more Fill) {
	if v.opt.Quota == nil {
		return
	}
	names := []string{"", source}
	if source == "" {
		names = names[:1]
	}
	for _, name := range names {
		a := v.account(sourceKey{sender, name})
		sum := a.stored.plus(more)
		a.stored = Fill{max(sum.Bytes, 0), max(sum.Objects, 0)}
	}
}

// overQuota reports whether n more bytes of an object are too many, or the object
// is one too many. What heals damage is never refused.
func (v *Vault) overQuota(s Snapshot, k key, n int64) bool {
	if v.opt.Quota == nil || v.damage[k] != nil {
		return false
	}
	more := Fill{Bytes: n}
	if _, begun := v.arrivals[k]; !begun {
		more.Objects = 1
	}
	q := v.opt.Quota(s.Sender, s.Source)
	full := v.isOver(sourceKey{s.Sender, s.Source}, q.Source, more)
	return v.isOver(sourceKey{s.Sender, ""}, q.Sender, more) || full
}

func (v *Vault) isOver(k sourceKey, limit, more Fill) bool {
	if limit == (Fill{}) {
		return false
	}
	a := v.account(k)
	used := a.stored.plus(a.arriving)
	full := v.isOverIn(k, a, "bytes", used.Bytes, limit.Bytes, more.Bytes)
	return v.isOverIn(k, a, "objects", used.Objects, limit.Objects, more.Objects) || full
}

// isOverIn looks at one of the two. What takes none of it is never too much.
func (v *Vault) isOverIn(k sourceKey, a *account, unit string, used, limit, more int64) bool {
	if limit <= 0 {
		return false
	}
	switch {
	case more > 0 && used+more > limit:
		v.tellQuota(k, a, event.QuotaFull, unit, used, limit)
		return true
	case float64(used) >= float64(limit)*quotaNear/100:
		v.tellQuota(k, a, event.QuotaNear, unit, used, limit)
	case float64(used) < float64(limit)*(quotaNear-5)/100 && v.opt.Now().Sub(a.told[unit].at).Abs() >= quotaAgain:
		delete(a.told, unit) // there is room again
	}
	return false
}

// tellQuota raises each alarm once, until there is room again.
func (v *Vault) tellQuota(k sourceKey, a *account, name, unit string, used, limit int64) {
	if was := a.told[unit].event; was == name || was == event.QuotaFull {
		return
	}
	a.told[unit] = quotaTold{name, v.opt.Now()}
	who := strings.TrimSuffix(k.sender+"/"+k.source, "/")
	words := "a quota is nearly full; raise it, or let retention remove more"
	line := v.log.Warn()
	if name == event.QuotaFull {
		words, line = "a quota is full: what is new of it is not stored; raise it, or let retention remove more, and push again", v.log.Error()
	}
	line.Str(event.Field, name).Str("of", who).Str("limit", unit).Int64("used", used).Int64("quota", limit).Msg(words)
	v.note(name, Snapshot{}, fmt.Sprintf("%s: %d of %d %s", who, used, limit, unit))
}
