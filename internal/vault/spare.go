package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"weir/internal/event"
)

// spareSound reports whether the second copy of a manifest and of its signature say
// what the restore point's own do, which are good.
func (l layout) spareSound(s Snapshot) bool {
	own, size, err := sumFile(filepath.Join(l.point(s), manifestFile))
	if err != nil {
		return true // removed meanwhile
	}
	in, err := os.Open(filepath.Join(l.spare(s), packed))
	if err != nil {
		return false
	}
	defer in.Close()
	zip, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return false
	}
	defer zip.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(zip, size+1)); err != nil || Hash(h.Sum(nil)) != own {
		return false
	}
	sig, err := readBounded(filepath.Join(l.point(s), sigFile), maxRequest)
	spare, serr := readBounded(filepath.Join(l.spare(s), sigFile), maxRequest)
	return err == nil && serr == nil && bytes.Equal(sig, spare)
}

// remakeSpare makes the second copy anew from the restore point's own files.
func (v *Vault) remakeSpare(s Snapshot) error {
	if !exists(v.point(s)) || !v.soundOwn(s) || v.spareSound(s) {
		return nil // removed or changed meanwhile
	}
	err := v.makeDir(v.spare(s))
	if err == nil {
		err = v.packManifest(s)
	}
	var sig []byte
	if err == nil {
		sig, err = readBounded(filepath.Join(v.point(s), sigFile), maxRequest)
	}
	if err == nil {
		err = v.disk.replace(filepath.Join(v.spare(s), sigFile), sig, 0o444)
	}
	if err != nil {
		return fmt.Errorf("making the second copy of the manifest of %s: %w", s.Ref(), err)
	}
	v.log.Warn().Str(event.Field, event.SnapshotHealed).Str("snapshot", s.Ref()).Msg("the second copy of a manifest was missing or bad and is made anew")
	v.note(event.SnapshotHealed, s, "made anew: the second copy of its manifest")
	return nil
}

func (v *Vault) packManifest(s Snapshot) error {
	in, err := os.Open(filepath.Join(v.point(s), manifestFile))
	if err != nil {
		return err
	}
	defer in.Close()
	path := filepath.Join(v.spare(s), packed)
	out, err := createAnew(path+newSuffix, 0o444)
	if err != nil {
		return err
	}
	defer out.Close()
	zip, err := zstd.NewWriter(&diskWriter{disk: &v.disk, file: out, space: &v.space}, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
	if err != nil {
		return err
	}
	_, err = io.Copy(zip, in)
	if err = errors.Join(err, zip.Close()); err == nil {
		err = v.disk.sync(out)
		v.disk.point("spare-packed")
	}
	if err == nil {
		err = v.disk.rename(path+newSuffix, path)
	}
	if err != nil {
		os.Remove(path + newSuffix)
		return err
	}
	return v.disk.syncPath(filepath.Dir(path))
}
