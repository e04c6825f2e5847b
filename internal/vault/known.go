package vault

import (
	"crypto/sha256"
	"io"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// syncEach is up to how many files and directories are synced one by one; more
// are synced with their whole file system.
const syncEach = 32

// known returns what is known of a complete object.
func (v *Vault) known(k key) (content, bool) {
	if c, ok := v.recorded(k); ok || !v.orphans {
		return c, ok
	}
	return v.orphan(k)
}

// recorded returns what is known without a look at the disk.
func (v *Vault) recorded(k key) (content, bool) {
	if c, ok := v.fresh[k]; ok {
		return c, true
	}
	return v.catalog.get(k)
}

func (v *Vault) has(k key) bool {
	_, ok := v.known(k)
	return ok
}

// orphan looks for an object that was written before a crash but not yet
// recorded. What it is says its content: it was named by its id only. It is
// written anew, as nobody knows whether the disk has refused its pages.
func (v *Vault) orphan(k key) (c content, ok bool) {
	path := v.layout.object(k)
	in, err := os.Open(path)
	if err != nil {
		return c, false
	}
	defer in.Close()
	if c, err = v.rewrite(in, path+newSuffix); err == nil && c.Size > 0 && (v.wanted(k, c) || v.heals(k, c)) {
		err = v.disk.rename(path+newSuffix, path)
		if err == nil {
			v.freshen(k, c)
			return c, true
		}
	}
	if err != nil {
		v.troubled(err)
	}
	os.Remove(path + newSuffix)
	os.Remove(path) // cut short, or of a snapshot that nobody closed
	return content{}, false
}

// heals reports whether this is what a damaged object was.
func (v *Vault) heals(k key, c content) bool {
	d := v.damage[k]
	return d != nil && d.content == c
}

// rewrite copies a file and returns what it is.
func (v *Vault) rewrite(in *os.File, to string) (c content, err error) {
	out, err := createAnew(to, 0o444)
	if err != nil {
		return c, err
	}
	defer out.Close()
	h := sha256.New()
	c.Size, err = io.Copy(io.MultiWriter(h, &diskWriter{disk: &v.disk, file: out}), in)
	h.Sum(c.SHA256[:0])
	return c, err
}

// wanted reports whether some pending snapshot lists the object as this. Only
// a manifest can tell for sure what an object is.
func (v *Vault) wanted(k key, c content) bool {
	for _, p := range v.pending {
		if p.snap.Sender == k.sender && p.lists(k.id, c) {
			return true
		}
	}
	return false
}

// gained notes that an object is complete, and lets the snapshots know that
// waited for it.
func (v *Vault) gained(k key, c content) {
	v.freshen(k, c)
	for _, p := range v.pending {
		if p.snap.Sender == k.sender {
			p.gain(k.id, c)
		}
	}
}

// freshen notes an object that is complete and not synced yet.
func (v *Vault) freshen(k key, c content) {
	v.fresh[k] = c
	if s := v.sites[k.sender]; s != nil && s.came != nil && len(s.came) < v.cameMost {
		s.came[k.id] = c
	}
	if v.damage[k] != nil {
		v.regained[k] = true
	}
}

// damaged says that an object was dropped.
func (v *Vault) damaged(k key, why string) {
	if v.noteOften(event.ObjectDamaged, Snapshot{Sender: k.sender}, k.id.String()+": "+why) {
		v.log.Warn().Str(event.Field, event.ObjectDamaged).Str("sender", k.sender).Stringer("object", k.id).Msg(why)
	}
}

// syncFresh brings the complete objects to stable storage and then records
// them. If that fails none of them is trusted.
func (v *Vault) syncFresh() error {
	if len(v.fresh) == 0 {
		return nil
	}
	err := v.syncObjects()
	v.letGo()
	if err != nil {
		v.distrust()
		return err
	}
	v.disk.point("objects-synced")
	if err := v.catalog.put(v.fresh); err != nil {
		return err
	}
	v.countFresh()
	clear(v.fresh)
	return nil
}

func (v *Vault) syncObjects() error {
	dirs := map[string]bool{}
	for k := range v.fresh {
		dirs[filepath.Dir(v.layout.object(k))] = true
	}
	if len(v.fresh)+len(dirs) > v.syncEach {
		return v.syncFileSystem()
	}
	for k := range v.fresh {
		if err := v.syncObject(k); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := v.disk.syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) syncObject(k key) error {
	if f := v.held[k]; f != nil {
		return v.disk.sync(f)
	}
	return v.disk.syncPath(v.layout.object(k))
}

// hold keeps a new object open until it is synced, while there are few: what went
// wrong when its pages were written in the meantime is told to those who had the
// file open then, and to nobody if it had left memory.
func (v *Vault) hold(k key, f *os.File) error {
	if len(v.held) >= v.syncEach || len(v.held) >= maxHeld {
		return f.Close()
	}
	v.held[k] = f
	return nil
}

// maxHeld bounds the complete objects that are kept open.
const maxHeld = 64

func (v *Vault) letGo() {
	for k, f := range v.held {
		if v.fresh[k].Size >= window {
			v.disk.forget(f, 0, 0)
		}
		f.Close()
	}
	clear(v.held)
}

// syncFileSystem syncs everything on the vault's file system. An error is told only
// once, whatever it was that could not be written: so no object is trusted that is not
// recorded yet.
func (v *Vault) syncFileSystem() error {
	err := v.builder().syncFileSystem()
	if err != nil {
		v.letGo()
		v.distrust()
	}
	return err
}

// syncEachOn returns up to how many files are synced one by one.
//
// On FUSE that is all of them, as syncfs(2) does not reach the program that
// serves it. On btrfs it is none: fsync(2) writes a log there, and a log that
// holds a directory that was synced, renamed and synced again made Linux 6.18
// refuse to mount after a power cut ("invalid nlink: has 2 expect no more than 1
// for dir"). A sync of the whole file system needs no log.
func syncEachOn(f *os.File) int {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return syncEach
	}
	switch st.Type {
	case unix.FUSE_SUPER_MAGIC:
		return math.MaxInt
	case unix.BTRFS_SUPER_MAGIC:
		return 0
	}
	return syncEach
}

// distrust drops every object that was to be synced: which of their pages made
// it to the disk cannot be known.
func (v *Vault) distrust() {
	for k := range v.fresh {
		v.arrived(k)
		os.Remove(v.layout.object(k))
		for _, p := range v.pending {
			if p.snap.Sender == k.sender {
				p.stale = p.manifest
			}
		}
	}
	clear(v.fresh)
}
