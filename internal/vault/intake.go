package vault

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/event"
	"weir/internal/manifest"
)

// takeManifest unpacks and checks the manifest, if its object is there. A bad one
// is refused, and the snapshot waits for another.
func (v *Vault) takeManifest(p *pending, b *builder) (bool, error) {
	if !v.manifestCame(p) {
		return false, nil
	}
	return v.putManifest(p, b.checkManifest(p, v.mayHaveSigned(p)))
}

// manifestCame reports whether the packed manifest is there, and somebody may have
// signed it: who opened the vault may know no keys, or all are revoked.
func (v *Vault) manifestCame(p *pending) bool {
	c, ok := v.known(key{p.Sender, p.Ref.Object})
	return ok && c.Size == p.Ref.ObjectSize && len(v.mayHaveSigned(p)) > 0
}

// checkManifest unpacks the manifest of a pending snapshot beside its place, and
// checks it.
func (b *builder) checkManifest(p *pending, keys []ed25519.PublicKey) error {
	fresh := filepath.Join(b.pending(p.snap), manifestFile+newSuffix)
	err := b.unpackManifest(p, keys, fresh)
	if err == nil {
		_, err = b.hardlinkTargets(fresh)
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrLimit) {
		os.Remove(fresh)
	}
	return err
}

// putManifest puts a manifest that was checked to its place, or refuses it.
func (v *Vault) putManifest(p *pending, err error) (bool, error) {
	dir := v.layout.pending(p.snap)
	switch {
	case errors.Is(err, errUnread):
		v.forget(key{p.Sender, p.Ref.Object})
	case errors.Is(err, ErrDamaged) || errors.Is(err, ErrLimit):
		if v.noteOften(event.ManifestRefused, p.snap, err.Error()) {
			v.log.Error().Str(event.Field, event.ManifestRefused).Str("snapshot", p.snap.Ref()).Err(err).Msg("manifest refused")
		}
		p.Ref = nil
		return false, v.savePending(p)
	}
	if err == nil {
		err = v.disk.replace(filepath.Join(dir, sigFile), manifest.Armor(p.Ref.PublicKey, p.Ref.Signature), 0o444)
	}
	if err == nil {
		err = v.disk.rename(filepath.Join(dir, manifestFile+newSuffix), filepath.Join(dir, manifestFile))
	}
	if err == nil {
		err = v.disk.syncPath(dir)
	}
	if err != nil {
		return false, fmt.Errorf("storing the manifest of %s: %w", p.snap.Ref(), err)
	}
	p.manifest, p.stale = true, true
	return true, nil
}

// errUnread says that the disk is to blame, not the sender. It may never read this
// again.
var errUnread = errors.New("it counts as missing until it comes again")

// unpackManifest decompresses the manifest into path and checks all of it: size,
// hash, signature by one of the keys, form, and that it is of this snapshot.
func (b *builder) unpackManifest(p *pending, keys []ed25519.PublicKey, path string) error {
	in, err := os.Open(b.object(key{p.Sender, p.Ref.Object}))
	if err != nil {
		return err
	}
	defer in.Close()
	read := &diskReader{file: in, stopped: b.stopped}
	zip, err := zstd.NewReader(read, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer zip.Close()
	out, err := createAnew(path, 0o444)
	if err != nil {
		return err
	}
	defer out.Close()
	w := &diskWriter{disk: &b.disk, file: out, space: b.space}
	if err := p.readManifest(io.TeeReader(io.LimitReader(zip, p.Ref.Size+1), w), keys); err != nil {
		switch {
		case w.err != nil:
			return w.err
		case errors.Is(read.err, errStopped) || errors.Is(read.err, errTooLong):
			return read.err
		case read.err != nil:
			return fmt.Errorf("%w; %w", read.err, errUnread)
		}
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if w.off != p.Ref.Size {
		return fmt.Errorf("%w: %w", ErrDamaged, errNotThis)
	}
	return b.disk.sync(out)
}

// diskReader remembers the errors of the disk, so that they are told apart from
// those of what is read.
type diskReader struct {
	file    *os.File
	stopped func() error
	err     error
}

func (r *diskReader) Read(p []byte) (n int, err error) {
	if r.err = r.stopped(); r.err != nil {
		return 0, r.err
	}
	if n, err = r.file.Read(p); err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// diskWriter writes through the disk and remembers its errors, so that they are
// told apart from those of what is read.
type diskWriter struct {
	disk  *disk
	file  *os.File
	space *spaceWatch // asked before each write, unless nil
	off   int64
	err   error
}

func (w *diskWriter) Write(p []byte) (n int, err error) {
	if w.space != nil {
		if w.err = w.space.ask(len(p)); w.err != nil {
			return 0, w.err
		}
	}
	n, err = w.disk.writeAt(w.file, p, w.off)
	w.off += int64(n)
	w.err = err
	return n, err
}

var errNotThis = errors.New("it is of another snapshot, or not what was announced or signed")

// readManifest checks the text of a manifest against the snapshot. One of the keys
// must have signed it.
func (p *pending) readManifest(text io.Reader, keys []ed25519.PublicKey) error {
	r, err := manifest.NewReader(text, manifest.Limits{})
	if err != nil {
		return err
	}
	h := r.Header()
	if h.Sender != p.Sender || h.Source != p.Source || h.Number != p.Number || !h.Taken.Truncate(time.Second).Equal(p.Taken) {
		return errNotThis
	}
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		return err
	}
	signer := slices.IndexFunc(keys, func(k ed25519.PublicKey) bool { return manifest.Verify(k, r.Digest(), p.Ref.Signature) })
	if Hash(r.Sum()) != p.Ref.SHA256 || signer < 0 ||
		!bytes.Equal(h.Previous[:], p.Ref.Previous[:]) {
		return errNotThis
	}
	p.Ref.PublicKey = keys[signer]
	t := r.Trailer()
	p.Files, p.Bytes, p.Problems = t.Files, t.Bytes, t.Problems
	return nil
}

// eachEntry reads a manifest file.
func eachEntry(path string, visit func(*manifest.Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading a manifest: %w", err)
	}
	defer f.Close()
	r, err := manifest.NewReader(f, manifest.Limits{})
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		if err := visit(e); err != nil {
			return err
		}
	}
}
