package vault

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// linkOrCopy links a file into a directory, or copies it where the file system
// allows no further link.
func (b *builder) linkOrCopy(from, dir, name string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = b.linkAt(from, int(f.Fd()), name)
	return err
}

// linkAt does that in an open directory. It reports whether a copy was made,
// which is synced.
func (b *builder) linkAt(from string, dir int, name string) (copied bool, err error) {
	err = b.disk.link(from, dir, name)
	if !refusesLinks(err) {
		return false, err
	}
	_, err = b.copyAt(from, dir, name)
	return true, err
}

// refusesLinks reports whether a file has all the names that it can have, or its file
// system knows no links.
func refusesLinks(err error) bool {
	return errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EPERM)
}

// linkObject is linkAt for an object. A file has a largest number of names, 65,000 on
// ext4: where an object has reached it, a copy in the tree serves for as many again, and
// takes the object's place once the restore point is published; see succeed.
func (t *tree) linkObject(k key, dir int, e *manifest.Entry) (copied bool, err error) {
	from, name := t.object(k), path.Base(e.Path)
	if last, ok := t.copies[k.id]; ok {
		from = filepath.Join(t.base, last)
	}
	err = t.disk.link(from, dir, name)
	if !refusesLinks(err) {
		return false, err
	}
	full := errors.Is(err, unix.EMLINK)
	c, err := t.copyAt(t.object(k), dir, name)
	if want := (content{e.Size, Hash(e.SHA256)}); err == nil && c != want {
		return true, &badObject{k, want}
	}
	if err == nil && full && len(e.Path) < longPath {
		t.copies[k.id] = e.Path
	}
	return true, err
}

// succeed puts files of a published tree in the place of objects that have all the names
// that a file can have; the trees keep what they link. What is not done, also as a power
// cut takes it back, the next restore point does.
func (v *Vault) succeed(p *pending) {
	for id, path := range p.copies {
		k := key{p.Sender, id}
		if _, ok := v.catalog.get(k); !ok {
			continue // damaged meanwhile
		}
		object := v.layout.object(k)
		err := os.Remove(object + newSuffix)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.Link(filepath.Join(v.point(p.snap), dataDir, path), object+newSuffix)
		}
		if err == nil {
			v.disk.point("succeeding")
			err = v.disk.rename(object+newSuffix, object)
		}
		if err != nil {
			v.troubled(err)
		}
	}
	p.copies = nil
}

// copyAt copies a file into an open directory, syncs it, and returns what it is.
func (b *builder) copyAt(from string, dir int, name string) (c content, err error) {
	in, err := os.Open(from)
	if err != nil {
		return c, err
	}
	defer in.Close()
	// One object that a manifest lists a million times must not fill the disk.
	if st, err := in.Stat(); err != nil {
		return c, err
	} else if err := b.space.ask(int(st.Size())); err != nil {
		return c, err
	}
	out, err := createAt(dir, name)
	if err != nil {
		return c, err
	}
	defer out.Close()
	h := sha256.New()
	if c.Size, err = io.Copy(io.MultiWriter(h, &diskWriter{disk: &b.disk, file: out}), &diskReader{file: in, stopped: b.stopped}); err != nil {
		return c, err
	}
	h.Sum(c.SHA256[:0])
	return c, b.disk.sync(out)
}

func createAt(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
