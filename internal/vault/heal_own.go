package vault

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/event"
	"weir/internal/manifest"
)

// A second copy of each manifest, packed as it came, and of its signature lies in
// MANIFESTS/<sender>/<source>/<name>. Old manifests do not come again over the
// link, and without its manifest a restore point is files without names.
const (
	sparesDir = "manifests"
	packed    = "manifest.zst"
	healDir   = "heal-own"
)

func (l layout) spare(s Snapshot) string { return l.own(sparesDir, s.Sender, s.Source, s.Name()) }

// keepSpare moves the packed manifest aside once its restore point is published.
// What a power cut brings back among the objects is swept away, see spareInodes.
func (v *Vault) keepSpare(p *pending) error {
	k := key{p.Sender, p.Ref.Object}
	dir := v.spare(p.snap)
	err := v.makeDir(dir)
	if err == nil {
		err = v.disk.rename(v.layout.object(k), filepath.Join(dir, packed))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was moved before a crash
	}
	v.disk.point("spare-moved")
	if err == nil {
		err = v.disk.replace(filepath.Join(dir, sigFile), manifest.Armor(p.Ref.PublicKey, p.Ref.Signature), 0o444)
	}
	if err != nil {
		return fmt.Errorf("keeping a second copy of the manifest of %s: %w", p.snap.Ref(), err)
	}
	return nil
}

func (v *Vault) dropSpare(s Snapshot) {
	if err := removeBelow(filepath.Dir(v.spare(s)), s.Name()); err != nil {
		v.troubled(err)
	}
}

// healOwn makes the files anew that a restore point has for itself: manifest and
// signature from the second copy, the sums from the manifest.
func (v *Vault) healOwn(s Snapshot, f Finding) error {
	if f.Path != manifestFile && f.Path != sigFile && f.Path != sumsFile {
		return v.markPoint(s, func(d *pointDamage) { d.Own[f.Path] = f.What })
	}
	if v.soundOwn(s) {
		return v.ownIsSound(s) // made anew with another finding
	}
	err := v.remakeOwn(s, func(dir string) error { return v.goodManifest(s, dir) })
	if err != nil {
		if v.bare[norm(s)] == nil {
			v.bare[norm(s)] = &bare{}
		}
		v.troubled(fmt.Errorf("healing %s: %w", s.Ref(), err))
		return v.markPoint(s, func(d *pointDamage) { d.Own[f.Path] = f.What })
	}
	v.noteHealed(s, f)
	if err := v.remakeSpare(s); err != nil {
		v.troubled(err) // the next scrub makes it anew
	}
	return v.ownIsSound(s)
}

// ownIsSound takes off what was noted of the files that a restore point has for itself.
// A record that could not be read may have told of damaged objects.
func (v *Vault) ownIsSound(s Snapshot) error {
	delete(v.bare, norm(s))
	if d, _ := v.pointDamage(s); d.Own[damagedDir] != "" && v.hasDamage(s.Sender) {
		return nil
	}
	return v.markPoint(s, func(d *pointDamage) { clear(d.Own); d.Again = nil })
}

func (v *Vault) hasDamage(sender string) bool {
	for k := range v.damage {
		if k.sender == sender {
			return true
		}
	}
	return false
}

// checkOwn verifies manifest and signature in a directory.
func (v *Vault) checkOwn(s Snapshot, dir string) error {
	check := &verifier{found: Found{Info: Info{Name: s.Name(), Sender: s.Sender, Source: s.Source, Number: s.Number, Taken: s.Taken},
		Dir: dir, Manifest: filepath.Join(dir, manifestFile)}}
	if err := check.manifest(v.layout); err != nil {
		return err
	}
	if len(check.report.Findings) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, check.report.Findings[0])
	}
	return nil
}

func (v *Vault) soundOwn(s Snapshot) bool {
	if v.checkOwn(s, v.point(s)) != nil {
		return false
	}
	want, err := sumsOf(filepath.Join(v.point(s), manifestFile), io.Discard)
	have, _, herr := sumFile(filepath.Join(v.point(s), sumsFile))
	return err == nil && herr == nil && want == have
}

// remakeOwn builds the three files in the staging area, of a manifest and a signature
// that takeManifest puts there, and moves them over the
// old ones, one by one: any mix of old and new is found and remade again.
func (v *Vault) remakeOwn(s Snapshot, takeManifest func(dir string) error) error {
	tmp := v.own("staging", healDir)
	if err := removeAll(tmp); err != nil {
		return err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	if err := takeManifest(tmp); err != nil {
		return err
	}
	if err := v.remakeSums(s, tmp); err != nil {
		return err
	}
	dir, err := os.Open(v.point(s))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Chmod(0o755); err != nil {
		return err
	}
	for _, name := range []string{manifestFile, sigFile, sumsFile} {
		err := v.disk.syncPath(filepath.Join(tmp, name))
		if err == nil {
			err = v.disk.rename(filepath.Join(tmp, name), filepath.Join(v.point(s), name))
			v.disk.point("own-replaced")
		}
		if err != nil {
			return errors.Join(err, v.closeDir(dir))
		}
	}
	// Of a manifest that stays, the staging area has the same file: no rename took it away.
	return errors.Join(v.closeDir(dir), removeAll(tmp))
}

// goodManifest puts a manifest and a signature into dir that are good together. Each
// is there twice, and one of either may be bad.
func (v *Vault) goodManifest(s Snapshot, dir string) (err error) {
	for _, take := range []func(path string) error{
		func(string) error {
			return v.builder().linkOrCopy(filepath.Join(v.point(s), manifestFile), dir, manifestFile)
		},
		func(path string) error { return v.unpackSpare(s, path) },
	} {
		path := filepath.Join(dir, manifestFile)
		terr := take(path)
		if terr == nil {
			terr = v.goodSignature(s, dir)
		}
		if terr == nil {
			return nil
		}
		if err = errors.Join(err, terr); os.Remove(path) != nil && exists(path) {
			return err
		}
	}
	return fmt.Errorf("there is no copy of its manifest and signature that is good: %w", err)
}

// goodSignature puts a signature into dir that is good for the manifest there.
func (v *Vault) goodSignature(s Snapshot, dir string) (err error) {
	to := filepath.Join(dir, sigFile)
	for _, from := range []string{v.point(s), v.spare(s)} {
		sig, serr := readBounded(filepath.Join(from, sigFile), maxRequest)
		if serr == nil {
			serr = v.disk.create(to, sig)
		}
		if serr == nil {
			serr = v.checkOwn(s, dir)
		}
		if serr == nil {
			return nil
		}
		err = errors.Join(err, serr)
		os.Remove(to)
	}
	return err
}

func (v *Vault) unpackSpare(s Snapshot, to string) error {
	in, err := os.Open(filepath.Join(v.spare(s), packed))
	if err != nil {
		return err
	}
	defer in.Close()
	zip, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer zip.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(&diskWriter{disk: &v.disk, file: out}, io.LimitReader(zip, v.opt.MaxManifest+1))
	return err
}

// remakeSums writes SHA256SUMS. Its time stays: it says when the restore point
// was received. Where it is lost, now is a time that shortens no lock.
func (v *Vault) remakeSums(s Snapshot, dir string) error {
	at := v.clock.read()
	if st, err := os.Stat(filepath.Join(v.point(s), sumsFile)); err == nil && !st.ModTime().IsZero() {
		at = st.ModTime()
	}
	path := filepath.Join(dir, sumsFile)
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriterSize(&diskWriter{disk: &v.disk, file: out}, 1<<20)
	if _, err := sumsOf(filepath.Join(dir, manifestFile), w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, at)
}

// eventsFound tells of an event log that a scrub found changed.
func (v *Vault) eventsFound() {
	v.log.Error().Str(event.Field, event.EventsDamaged).Msg("the event log is not what was written; see weir-vault events --verify")
	v.note(event.EventsDamaged, Snapshot{}, "found by a scrub")
}
