package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// Reindex rebuilds the catalog of a vault that nobody else writes to from the
// tree alone. It returns how many objects it holds.
func Reindex(dir string, opt Options) (int, error) {
	opt.rebuild = true
	v, err := Open(dir, opt)
	if err != nil {
		return 0, err
	}
	n, err := v.catalog.count()
	return n, errors.Join(err, v.Close())
}

func (c *catalog) count() (n int, err error) {
	err = guard(func() error {
		return c.db.View(func(tx *bbolt.Tx) error { n = int(tx.Bucket(bucketObjects).Sequence()); return nil })
	})
	return n, err
}

// fillCatalog fills a catalog that is new.
func (v *Vault) fillCatalog() error {
	if !v.unfilled {
		return nil
	}
	senders, err := subdirs(v.own("objects"))
	if err != nil {
		return fmt.Errorf("rebuilding the catalog: %w", err)
	}
	total, links := 0, v.knowsLinks()
	for _, s := range senders {
		r := reindexer{vault: v, sender: s, links: links}
		n, err := r.run()
		if total += n; err != nil {
			return fmt.Errorf("rebuilding the catalog: %w", err)
		}
	}
	v.unfilled = false
	if err := v.sumCatalog(); err != nil {
		return err
	}
	if total > 0 {
		v.log.Warn().Str(event.Field, event.VaultRecovered).Int("objects", total).Msg("the catalog was rebuilt from the tree")
	}
	return nil
}

// knowsLinks tries whether the file system knows hard links. Where it does not, the
// trees hold copies.
func (v *Vault) knowsLinks() bool {
	dir, err := os.Open(v.own("staging"))
	if err != nil {
		return true // whatever is in doubt is read
	}
	defer dir.Close()
	const name = "try"
	err = v.disk.link(v.own(lockFile), int(dir.Fd()), name)
	os.Remove(v.own("staging", name))
	return !refusesLinks(err)
}

// reindexer finds out what the objects of one sender are.
type reindexer struct {
	vault  *Vault
	sender string
	all    []objectFile // by id
	left   int          // of which it is not known yet what they are
	links  bool         // the file system knows them
}

// objectFile is an object file.
type objectFile struct {
	id     ObjectID
	file   fileID
	linked bool // it has other names
	listed bool // by a restore point that does not link it, as this content
	known  bool
	content
}

func (r *reindexer) run() (int, error) {
	if err := r.list(); err != nil {
		return 0, err
	}
	if err := r.published(); err != nil {
		return 0, err
	}
	if err := r.rest(); err != nil {
		return 0, err
	}
	return r.record()
}

// list takes up the names and sizes of the objects, in order.
func (r *reindexer) list() error {
	base := r.vault.own("objects", r.sender)
	dirs, err := subdirs(base)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := r.listDir(filepath.Join(base, d)); err != nil {
			return err
		}
	}
	slices.SortFunc(r.all, func(a, b objectFile) int { return bytes.Compare(a.id[:], b.id[:]) })
	r.left = len(r.all)
	return nil
}

func (r *reindexer) listDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		k, ok := objectKey(r.sender, name)
		var st unix.Stat_t
		if !ok || unix.Fstatat(int(f.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		r.all = append(r.all, objectFile{id: k.id, file: fileID{uint64(st.Dev), st.Ino}, linked: st.Nlink > 1, content: content{Size: st.Size}})
	}
	return nil
}

// published learns from the manifests of the restore points, the latest first,
// until nothing is unknown. What they link was synced before they were made. An object
// that they list and do not link may be another by now: its sender names it.
func (r *reindexer) published() error {
	points, err := listPoints(r.vault.layout)
	if err != nil {
		return err
	}
	slices.SortFunc(points, func(a, b Snapshot) int { return b.Taken.Compare(a.Taken) })
	for _, s := range points {
		if r.left == 0 || s.Sender != r.sender {
			continue
		}
		data := filepath.Join(r.vault.point(s), dataDir)
		err := eachEntry(filepath.Join(r.vault.point(s), manifestFile), func(e *manifest.Entry) error {
			if o := r.find(e); o != nil && !o.known && o.Size == e.Size {
				r.learn(o, e, filepath.Join(data, e.Path))
			}
			return nil
		})
		if err != nil {
			r.vault.log.Error().Str(event.Field, event.ManifestRefused).Str("snapshot", s.Ref()).Err(err).Msg("a stored manifest is damaged")
		}
	}
	return nil
}

// learn takes from an entry of a restore point what an object is.
func (r *reindexer) learn(o *objectFile, e *manifest.Entry, path string) {
	switch {
	case !r.links || pathID(path) == o.file:
		o.known, o.SHA256 = true, Hash(e.SHA256)
		r.left--
	case !o.listed:
		o.listed, o.SHA256 = true, Hash(e.SHA256)
	}
}

func (r *reindexer) find(e *manifest.Entry) *objectFile {
	if !isObject(e) {
		return nil
	}
	i := sort.Search(len(r.all), func(i int) bool { return bytes.Compare(r.all[i].id[:], e.Object[:]) >= 0 })
	if i == len(r.all) || r.all[i].id != ObjectID(e.Object) {
		return nil
	}
	return &r.all[i]
}

// rest reads the objects that no restore point links. Those that pending
// snapshots wait for, or may yet ask for, are kept as what they are. The others
// were left by a crash.
func (r *reindexer) rest() error {
	if r.left == 0 {
		return nil
	}
	wanted, err := r.wanted()
	if err != nil {
		return err
	}
	open := r.vault.awaitsManifest(r.sender)
	for i := range r.all {
		o := &r.all[i]
		if o.known {
			continue
		}
		want, listed := wanted[o.id]
		was := o.content
		if !listed && !open && !o.linked && !o.listed {
			os.Remove(r.path(o))
			continue
		}
		if err := o.read(r.path(o)); err != nil {
			r.vault.troubled(err)
			continue
		}
		o.known = o.Size > 0 && (!listed && !o.listed || o.listed && was == o.content || listed && (want == o.content || want == content{}))
		if !o.known {
			os.Remove(r.path(o))
		}
	}
	return r.vault.syncFileSystem()
}

func (r *reindexer) path(o *objectFile) string { return r.vault.layout.object(key{r.sender, o.id}) }

// wanted returns what the manifests of pending snapshots list, and the objects
// that hold such manifests, with no content.
func (r *reindexer) wanted() (map[ObjectID]content, error) {
	wanted := map[ObjectID]content{}
	for _, p := range r.vault.pending {
		if p.Sender != r.sender || p.Ref == nil {
			continue
		}
		wanted[p.Ref.Object] = content{}
		if !p.manifest {
			continue
		}
		err := eachEntry(filepath.Join(r.vault.layout.pending(p.snap), manifestFile), func(e *manifest.Entry) error {
			if isObject(e) {
				wanted[ObjectID(e.Object)] = content{e.Size, Hash(e.SHA256)}
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return wanted, nil
}

func (o *objectFile) read(path string) error {
	sum, size, err := sumFile(path)
	o.content = content{size, sum}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading an object: %w", err)
	}
	return nil
}

// record puts what is known into the catalog, in order.
func (r *reindexer) record() (int, error) {
	n := 0
	for rest := r.all; len(rest) > 0; {
		batch := rest[:min(len(rest), catalogBatch)]
		rest = rest[len(batch):]
		err := r.vault.catalog.update(func(b *bbolt.Bucket) error {
			b.FillPercent = 0.9
			added := uint64(0)
			for i := range batch {
				if !batch[i].known {
					continue
				}
				id := key{r.sender, batch[i].id}.bytes()
				if err := b.Put(id, encodeContent(id, batch[i].content)); err != nil {
					return err
				}
				added++
			}
			n += int(added)
			return b.SetSequence(b.Sequence() + added)
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
