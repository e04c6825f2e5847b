package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// publishingFile stands in a pending snapshot while its restore point is moved to
// its place. It holds the id of the running system.
//
// A reader sees a directory as soon as it is renamed, before the disk has it: a
// power cut could take back what was listed as whole. While the file is there,
// the restore point is listed as not whole. What is found after the system was
// started again is on the disk by that, and the file means nothing any more.
const publishingFile = "publishing"

// bootID names this run of the system, "" where it does not say. It is asked
// once, as a confined process cannot ask later.
var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
})

func (l layout) publishing(s Snapshot) string { return filepath.Join(l.pending(s), publishingFile) }

// unsettled reports whether the directory of a restore point, though it is there,
// may not survive a power cut.
func (l layout) unsettled(s Snapshot) bool {
	id, err := os.ReadFile(l.publishing(s))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return err != nil || string(id) == bootID()
}

// place moves a staged restore point to its place and makes sure that it stays
// there. If that fails it is taken back: a directory that failed to sync once is
// not trusted, it is built anew.
func (v *Vault) place(s Snapshot) error {
	to := v.point(s)
	if err := v.makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := v.disk.replace(v.publishing(s), []byte(bootID()), 0o644); err != nil {
		return err
	}
	v.disk.point("staged")
	if err := v.disk.rename(v.staging(s), to); err != nil {
		return err
	}
	v.disk.point("renamed")
	err := v.secure(s)
	if err != nil {
		return errors.Join(err, v.withdraw(s))
	}
	return nil
}

// secure syncs the directories that a restore point came to and from, and from
// then on it is listed as whole.
func (v *Vault) secure(s Snapshot) error {
	to := v.point(s)
	if err := v.syncDirs(filepath.Dir(to), v.own("staging")); err != nil {
		return err
	}
	v.disk.point("published")
	// Only now, as a directory that may not be written cannot be renamed.
	if err := os.Chmod(to, 0o555); err != nil {
		v.troubled(err)
	}
	if err := os.Remove(v.publishing(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.troubled(err)
	}
	v.disk.point("listed")
	return nil
}

func (v *Vault) syncDirs(dirs ...string) error {
	if v.syncEach == 0 {
		return v.syncFileSystem()
	}
	for _, dir := range dirs {
		if err := v.disk.syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes a restore point back that could not be secured.
func (v *Vault) withdraw(s Snapshot) error {
	if err := os.Chmod(v.point(s), 0o755); err != nil {
		return fmt.Errorf("taking %s back: %w", s.Ref(), err)
	}
	return v.discard(s.Sender, v.point(s))
}

// takeUpPlaced brings the publication to its end of a restore point that stood in
// its place when the process before this one ended.
func (v *Vault) takeUpPlaced(p *pending) error {
	if err := v.secure(p.snap); err != nil {
		return err
	}
	info, err := pointInfo(v.layout, p.snap)
	if err != nil {
		return err
	}
	p.Info = info
	v.clock.raise(info.Received)
	sum, _, err := sumFile(filepath.Join(v.point(p.snap), manifestFile))
	if err != nil {
		return err
	}
	if p.Ref != nil {
		if p.broken, err = v.builder().breaksChain(p); err != nil {
			return err
		}
	}
	v.published(p, sum)
	return nil
}
