package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// errMismatch is returned while a tree is built that lists an object otherwise
// than the vault has it.
var errMismatch = errors.New("an object is not what the manifest lists")

// publish makes a restore point of a snapshot that lacks nothing. See the package
// comment for the order, which is what survives a power cut.
func (v *Vault) publish(p *pending) error {
	now := v.opt.Now()
	if wait := now.Sub(p.failed); wait >= 0 && wait < p.backoff {
		return nil
	}
	err := v.tryToPublish(p)
	if errors.Is(err, errMismatch) {
		p.stale = true
		return nil
	}
	if err != nil {
		p.failed, p.backoff = now, min(max(2*p.backoff, minBackoff), maxBackoff)
		return fmt.Errorf("publishing %s: %w", p.snap.Ref(), err)
	}
	return nil
}

func (v *Vault) tryToPublish(p *pending) error {
	if exists(v.point(p.snap)) {
		if !v.unsettled(p.snap) {
			return v.takeUpPlaced(p)
		}
		if err := v.withdraw(p.snap); err != nil {
			return err
		}
	}
	if err := v.syncFresh(); err != nil {
		return err
	}
	if err := v.judge(p); err != nil {
		return err
	}
	if err := v.stage(p); err != nil {
		return errors.Join(err, clearDir(v.own("staging")))
	}
	if err := v.lockPoint(p.snap, p.Received); err != nil {
		return err
	}
	if err := v.place(p.snap); err != nil {
		return err
	}
	p.State, p.MissingFiles, p.MissingBytes = Whole, 0, 0
	v.published(p, p.Ref.SHA256)
	return nil
}

// After a publication that failed the next try waits, longer each time: a tree of
// a million links is not built every second on a disk that is full.
const (
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// stage builds the restore point below staging/ and syncs it.
func (v *Vault) stage(p *pending) error {
	dir := v.staging(p.snap)
	if err := clearDir(v.own("staging")); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	pendingDir := v.layout.pending(p.snap)
	for _, name := range []string{manifestFile, sigFile} {
		if err := v.linkOrCopy(filepath.Join(pendingDir, name), dir, name); err != nil {
			return err
		}
	}
	t, err := v.newTree(p, dir)
	if err != nil {
		return err
	}
	err = t.build(filepath.Join(pendingDir, manifestFile))
	if err == nil {
		v.disk.point("built")
		err = v.syncTree(p, dir, t)
	}
	if cerr := t.close(); err == nil {
		err = cerr
	}
	return err
}

// syncTree brings a staged restore point to stable storage.
func (v *Vault) syncTree(p *pending, dir string, t *tree) error {
	// The time of the sums is the time of publication, for those who have the
	// tree alone.
	now := v.clock.read()
	if err := os.Chtimes(filepath.Join(dir, sumsFile), now, now); err != nil {
		return err
	}
	p.Received = now
	if len(t.dirs)+t.files > v.syncEach || t.long {
		return v.syncFileSystem()
	}
	if err := v.disk.sync(t.sumFile); err != nil {
		return fmt.Errorf("syncing the sums: %w", err)
	}
	for _, name := range t.made {
		if err := v.disk.syncPath(name); err != nil {
			return err
		}
	}
	for _, name := range t.dirs {
		if err := v.disk.syncPath(name); err != nil {
			return err
		}
	}
	return v.disk.syncPath(dir)
}

// published records and tells what has become whole. Trouble from here on costs
// tidiness, not the restore point. What a crash leaves undone is done at the next
// start, as long as the pending directory is there: it goes last.
func (v *Vault) published(p *pending, sum Hash) {
	told := v.events.told(event.SnapshotWhole, p.snap.Ref())
	if !told {
		v.note(event.SnapshotWhole, p.snap, sum.String())
		v.disk.point("noted")
	}
	if p.Ref != nil {
		v.checkChain(p)
		v.stored(p.Sender, p.Source, Fill{-p.Ref.ObjectSize, -1})
	}
	delete(v.pending, p.snap)
	v.whole[p.snap] = true
	if err := v.tidy(p); err != nil {
		v.uncleared[p.snap] = p
		v.troubled(err)
	}
	v.disk.point("cleared")
	v.dropLeftOvers(p.Sender)
	if err := v.sweepSender(p.Sender); err != nil {
		v.troubled(err)
	}
	if told {
		return
	}
	v.log.Info().Str(event.Field, event.SnapshotWhole).Str("snapshot", p.snap.Ref()).Int64("files", p.Files).
		Int64("bytes", p.Bytes).Int64("problems", p.Problems).Msg("a restore point is whole and published")
	if v.opt.OnPublish != nil {
		v.opt.OnPublish(p.Info)
	}
}

// tidy ends a publication: the packed manifest, which no restore point links, leaves
// the objects, and then the pending snapshot goes.
func (v *Vault) tidy(p *pending) error {
	if p.Ref != nil {
		if err := v.catalog.remove(key{p.Sender, p.Ref.Object}); err != nil {
			return err
		}
		if err := v.keepSpare(p); err != nil {
			return err
		}
	}
	return os.RemoveAll(v.layout.pending(p.snap))
}

// forget removes an object that no restore point links.
func (v *Vault) forget(k key) {
	if v.unrecord(k) {
		os.Remove(v.layout.object(k))
	}
}

// unrecord takes an object out of the catalog, which comes before its file goes:
// what the catalog has must be there.
func (v *Vault) unrecord(k key) bool {
	err := v.catalog.remove(k)
	if err != nil {
		v.troubled(err)
	}
	return err == nil
}

// publishReady publishes every snapshot that lacks nothing.
func (v *Vault) publishReady() error {
	var first error
	for _, p := range v.pending {
		if p.Ref == nil || p.more && !v.worthALook(p) {
			continue
		}
		if err := v.advance(p); err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		v.troubled(first)
	}
	return nil
}

// linkOrCopy links a file into a directory, or copies it where the file system
// allows no further link.
func (v *Vault) linkOrCopy(from, dir, name string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = v.linkAt(from, int(f.Fd()), name)
	return err
}

// linkAt does that in an open directory. It reports whether a copy was made,
// which has to be synced.
func (v *Vault) linkAt(from string, dir int, name string) (copied bool, err error) {
	err = v.disk.link(from, dir, name)
	if !errors.Is(err, unix.EMLINK) && !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EPERM) {
		return false, err
	}
	in, err := os.Open(from)
	if err != nil {
		return true, err
	}
	defer in.Close()
	// One object that a manifest lists a million times must not fill the disk.
	if st, err := in.Stat(); err != nil {
		return true, err
	} else if err := v.space.ask(int(st.Size())); err != nil {
		return true, err
	}
	out, err := createAt(dir, name)
	if err != nil {
		return true, err
	}
	defer out.Close()
	if _, err := io.Copy(&diskWriter{disk: &v.disk, file: out}, in); err != nil {
		return true, err
	}
	return true, v.disk.sync(out)
}

func createAt(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// checkChain compares the previous manifest that a manifest names with the one
// that is published. Another one means that the sender's state was lost, or that
// somebody else wrote one of the two; either way an operator should know.
func (v *Vault) checkChain(p *pending) {
	dirs, err := filepath.Glob(filepath.Join(globQuote(v.dir), p.Sender, p.Source, fmt.Sprintf("*.%06d", p.Number-1)))
	if err != nil || len(dirs) == 0 {
		return
	}
	for _, dir := range dirs {
		if sum, _, err := sumFile(filepath.Join(dir, manifestFile)); err == nil && sum == p.Ref.Previous {
			return
		}
	}
	v.log.Warn().Str(event.Field, event.ManifestBroken).Str("snapshot", p.snap.Ref()).
		Msg("the manifest does not name the one before it that is stored here: was the sender's state lost?")
	v.note(event.ManifestBroken, p.snap, p.Ref.Previous.String())
}
