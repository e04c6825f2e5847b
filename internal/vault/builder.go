package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir/internal/manifest"
	"weir/internal/masschange"
)

// builder makes manifests and restore points of what the vault has. It works on the
// vault's goroutine, or with a disk of its own beside it: then it sees no object
// that is not recorded, and touches nothing but the file that it unpacks and its own
// directory below staging/.
type builder struct {
	layout
	disk     disk
	space    *spaceWatch
	catalog  *catalog
	root     *os.File     // what syncfs(2) is called on
	syncEach int          // up to how many files and directories are synced one by one
	stopped  func() error // errStopped when nobody waits for it any more
}

// errStopped ends the work of a builder that is not waited for.
var errStopped = errors.New("the vault is being closed")

// errTooLong ends work that is too much to be done on the vault's goroutine.
var errTooLong = errors.New("it goes on beside what comes")

// briefBuilder returns one that gives up, on the vault's goroutine, what takes longer
// than is bearable there. How long the disk takes to sync in the end is no part of that.
func (v *Vault) briefBuilder() *builder {
	b, end := v.builder(), time.Now().Add(v.most)
	b.stopped = func() error {
		if time.Now().After(end) {
			return errTooLong
		}
		return nil
	}
	return b
}

// builder returns one that works on the vault's goroutine.
func (v *Vault) builder() *builder {
	return &builder{layout: v.layout, disk: v.disk, space: &v.space, catalog: v.catalog, root: v.root,
		syncEach: v.syncEach, stopped: func() error { return nil }}
}

// build makes a restore point below staging/, brings it to stable storage, and says
// how it differs from the one before. It is dated with the time of now.
func (b *builder) build(p *pending, history []masschange.Measure, now time.Time) (masschange.Measure, error) {
	change, err := b.measureChange(p, history)
	if err != nil {
		return change, fmt.Errorf("comparing it with the one before: %w", err)
	}
	if p.broken, err = b.breaksChain(p); err != nil {
		return change, err
	}
	p.Received = now
	if err := b.stage(p); err != nil {
		return change, errors.Join(err, b.unstage(p.snap))
	}
	return change, nil
}

// unstage removes what was built of a restore point.
func (l layout) unstage(s Snapshot) error { return removeAll(l.staging(s)) }

// stage builds the restore point below staging/ and syncs it.
func (b *builder) stage(p *pending) error {
	dir := b.staging(p.snap)
	if err := b.unstage(p.snap); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	pendingDir := b.pending(p.snap)
	for _, name := range []string{manifestFile, sigFile} {
		if err := b.linkOrCopy(filepath.Join(pendingDir, name), dir, name); err != nil {
			return err
		}
	}
	t, err := b.newTree(p, dir)
	if err != nil {
		return err
	}
	err = t.build(filepath.Join(pendingDir, manifestFile))
	if p.copies = t.copies; err == nil {
		b.disk.point("built")
		err = b.syncTree(p, dir, t)
	}
	if cerr := t.close(); err == nil {
		err = cerr
	}
	return err
}

// syncTree brings a staged restore point to stable storage.
func (b *builder) syncTree(p *pending, dir string, t *tree) error {
	// The time of the sums is the time of publication, for those who have the
	// tree alone.
	if err := os.Chtimes(filepath.Join(dir, sumsFile), p.Received, p.Received); err != nil {
		return err
	}
	if len(t.dirs)+t.files > b.syncEach || t.long {
		return b.syncFileSystem()
	}
	if err := b.disk.sync(t.sumFile); err != nil {
		return fmt.Errorf("syncing the sums: %w", err)
	}
	for _, name := range t.made {
		if err := b.disk.syncPath(name); err != nil {
			return err
		}
	}
	for _, name := range t.dirs {
		if err := b.disk.syncPath(name); err != nil {
			return err
		}
	}
	return b.disk.syncPath(dir)
}

// syncFileSystem syncs everything on the vault's file system. Errors of writes
// since the root was opened, or since the last time, are reported here (Linux
// 5.8 and later, syncfs(2)), to each who has opened it by itself.
func (b *builder) syncFileSystem() error {
	if err := b.disk.syncAll(b.root); err != nil {
		return fmt.Errorf("syncing the file system of %s: %w", b.dir, err)
	}
	return nil
}

// each reads a manifest file, as long as anybody waits for that.
func (b *builder) each(path string, visit func(*manifest.Entry) error) error {
	return eachEntry(path, func(e *manifest.Entry) error {
		if err := b.stopped(); err != nil {
			return err
		}
		return visit(e)
	})
}
