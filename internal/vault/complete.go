package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// complete makes an object of a partial one that lacks nothing any more.
func (v *Vault) complete(o *object) error {
	if !o.lacksNothing() {
		return nil
	}
	sum, err := o.sum(v.sums.of(o.key.sender))
	if errors.Is(err, errMoreToHash) {
		v.sums.short[o.key.sender] = true
		return nil // at the next Settle
	}
	if errors.Is(err, unix.EFBIG) {
		v.drop(o)
		return fmt.Errorf("object %v has %d bytes, more than a file of this file system: %w", o.key.id, o.end.Size, ErrLimit)
	}
	if err != nil {
		return v.giveUp(o, err)
	}
	if sum != o.end.SHA256 {
		v.drop(o)
		v.damaged(o.key, "its content is not what its end says")
		return nil
	}
	large := o.end.Size >= syncFirst
	if large {
		if err := v.saveMap(o); err != nil {
			return err
		}
	}
	if err := v.moveIn(o); err != nil {
		// It stays a partial object that lacks nothing, and is tried again.
		return fmt.Errorf("storing object %v: %w", o.key.id, err)
	}
	v.gained(o.key, o.end.content)
	if large {
		return v.syncFresh() // not to be read again after a crash
	}
	return nil
}

func (o *object) lacksNothing() bool { return o.end != nil && o.held.holds(0, o.end.Size) }

// sumBuffer is how much is read at a time for a sum, in bytes.
const sumBuffer = 1 << 20

// errMoreToHash says that a slice is done and the object is not.
var errMoreToHash = errors.New("more is to be read")

// sum returns the hash of the whole object: the rest behind the frontier is read
// from the file, at most left bytes of it, which are taken off. After an error the
// frontier stands where it came up.
func (o *object) sum(left *int64) (sum Hash, err error) {
	if err := o.file.Truncate(o.end.Size); err != nil { // a hole at the end
		return sum, err
	}
	if o.frontier < o.end.Size {
		if *left <= 0 {
			return sum, errMoreToHash
		}
		buf := make([]byte, min(sumBuffer, *left, o.end.Size-o.frontier))
		for o.frontier < o.end.Size && *left > 0 && err == nil {
			var n int
			begun := time.Now()
			n, err = o.file.ReadAt(buf[:min(int64(len(buf)), *left, o.end.Size-o.frontier)], o.frontier)
			o.hash.Write(buf[:n])
			o.frontier += int64(n)
			*left -= sumCost(n, time.Since(begun))
		}
		if err != nil && (err != io.EOF || o.frontier < o.end.Size) {
			return sum, err
		}
		if o.frontier < o.end.Size {
			return sum, errMoreToHash
		}
	}
	o.hash.Sum(sum[:0])
	return sum, nil
}

// unreadable is how much is given up around a place that the disk cannot read,
// in bytes. Written anew it gets other sectors of the disk.
const unreadable = 1 << 20

// giveUp counts as missing what of a partial object cannot be read back.
func (v *Vault) giveUp(o *object, err error) error {
	at := o.frontier / unreadable * unreadable
	o.held.remove(at, at+unreadable)
	if errors.Is(err, io.EOF) {
		o.held.remove(o.frontier, o.end.Size)
	}
	o.dirty++
	return fmt.Errorf("reading object %v back at %d: %w", o.key.id, o.frontier, err)
}

// moveIn renames a complete object to its place.
func (v *Vault) moveIn(o *object) error {
	if err := v.objectDir(o.key); err != nil {
		return err
	}
	if err := o.file.Chmod(0o444); err != nil {
		return err
	}
	if err := v.disk.rename(v.incoming(o.key), v.layout.object(o.key)); err != nil {
		return err
	}
	v.disk.point("object-moved")
	if _, mapped := v.partial[o.key]; mapped {
		os.Remove(v.incoming(o.key) + mapSuffix)
	}
	delete(v.open, o.key)
	v.forgetPartial(o.key)
	return v.hold(o.key, o.file)
}

func (v *Vault) objectDir(k key) error {
	return v.dirFor(v.own("objects", k.sender, k.id.String()[:2]))
}

// storeSmall writes an object that came in one piece straight to its place.
func (v *Vault) storeSmall(k key, source string, p []byte, e *end) error {
	if Hash(sha256.Sum256(p)) != e.SHA256 {
		v.damaged(k, "its content is not what its end says")
		return nil
	}
	if err := v.objectDir(k); err != nil {
		return err
	}
	path := v.layout.object(k)
	err := v.disk.create(path, p)
	if errors.Is(err, fs.ErrExist) {
		// The catalog has no such object: a file that a crash left, or whose
		// pages the disk has refused. Restore points keep their own links.
		if err = os.Remove(path); err == nil {
			err = v.disk.create(path, p)
		}
	}
	if err != nil {
		return fmt.Errorf("storing object %v: %w", k.id, err)
	}
	v.roomAgain()
	v.arrive(k, source, e.Size)
	v.gained(k, e.content)
	if len(v.fresh) <= syncEach {
		if f, err := os.Open(path); err == nil {
			return v.hold(k, f)
		}
	}
	return nil
}
