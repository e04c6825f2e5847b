package vault

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// sweepOrphans removes what a crash left in objects/: files that the catalog does
// not have, that no restore point links and that no manifest asks for. While a
// manifest of a sender is still to come it may ask for anything: such a sender's
// turn comes when it has none to come.
func (v *Vault) sweepOrphans() error {
	if !v.orphans {
		return nil
	}
	senders, err := subdirs(v.own("objects"))
	if err != nil {
		return err
	}
	for _, s := range senders {
		v.unswept[s] = true
	}
	for _, s := range senders {
		if err := v.sweepSender(s); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) sweepSender(sender string) error {
	if !v.unswept[sender] || v.awaitsManifest(sender) {
		return nil
	}
	dirs, err := subdirs(v.own("objects", sender))
	if err != nil {
		return err
	}
	swept, spares := 0, v.spareInodes(sender)
	for _, d := range dirs {
		n, err := v.sweepDir(sender, v.own("objects", sender, d), spares)
		if swept += n; err != nil {
			return err
		}
	}
	delete(v.unswept, sender)
	if swept > 0 {
		v.log.Info().Str(event.Field, event.VaultRecovered).Str("sender", sender).Int("objects", swept).
			Msg("objects were removed that a crash had left and nothing asks for")
	}
	return nil
}

func (v *Vault) awaitsManifest(sender string) bool {
	for _, p := range v.pending {
		if p.Sender == sender && (!p.manifest || p.stale) && p.AbandonedAt.IsZero() {
			return true
		}
	}
	return false
}

// spareInodes returns the files that are second copies of manifests. A power cut may
// leave one under the name, too, that it had among the objects: btrfs replays the
// new name of a moved file without taking the old one away.
func (v *Vault) spareInodes(sender string) map[uint64]bool {
	paths, err := filepath.Glob(filepath.Join(globQuote(v.own(sparesDir, sender)), "*", "*", packed))
	if err != nil {
		return nil
	}
	inodes := map[uint64]bool{}
	for _, path := range paths {
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil {
			inodes[st.Ino] = true
		}
	}
	return inodes
}

func (v *Vault) sweepDir(sender, dir string, spares map[uint64]bool) (swept int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		k, ok := objectKey(sender, e.Name())
		if ok && v.keeps(k) {
			continue
		}
		if !ok && !strings.HasSuffix(e.Name(), newSuffix) {
			continue // not ours
		}
		path := filepath.Join(dir, e.Name())
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Nlink > 1 && !spares[st.Ino] {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return swept, err
		}
		swept++
	}
	return swept, nil
}

// objectKey is the key of an object's file, by its name.
func objectKey(sender, name string) (k key, ok bool) {
	raw, err := hex.DecodeString(name)
	k.sender = sender
	return k, err == nil && copy(k.id[:], raw) == len(raw) && len(raw) == len(k.id)
}

// keeps reports whether an object is recorded, or a manifest asks for it.
func (v *Vault) keeps(k key) bool {
	if _, ok := v.fresh[k]; ok {
		return true
	}
	if _, ok := v.catalog.get(k); ok {
		return true
	}
	for _, p := range v.pending {
		_, lacks := p.missing[k.id]
		if p.Sender == k.sender && (lacks || p.Ref != nil && p.Ref.Object == k.id) {
			return true
		}
	}
	return false
}
