package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// scrubBuffer is how much is read at a time, in bytes.
const scrubBuffer = 1 << 20

// fileID tells files apart that had the same name one after the other.
type fileID struct{ dev, ino uint64 }

func idOf(f *os.File) (id fileID, size int64) {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) == nil {
		id, size = fileID{uint64(st.Dev), st.Ino}, st.Size
	}
	return id, size
}

func idOfInfo(st os.FileInfo) (id fileID) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		id = fileID{uint64(sys.Dev), sys.Ino}
	}
	return id
}

func pathID(path string) (id fileID) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) == nil {
		id = fileID{uint64(st.Dev), st.Ino}
	}
	return id
}

// compare reads a file and returns what is wrong with it, or "". What it reads
// does not stay in memory, where it would push out what others need.
func (s *scrub) compare(path string, want content, buf []byte) (id fileID, why string) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return id, "it is gone"
	}
	if err != nil {
		return id, err.Error()
	}
	defer f.Close()
	id, size := idOf(f)
	if size != want.Size {
		return id, fmt.Sprintf("it has %d bytes instead of %d", size, want.Size)
	}
	// What memory still has of it says nothing about the disk.
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL)
	sum, err := s.sum(f, buf)
	unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	switch {
	case err != nil:
		return id, fmt.Sprintf("it cannot be read: %v", err)
	case sum != want.SHA256:
		return id, "its content is not what it was"
	}
	return id, ""
}

// sum hashes a file at the pace of the scrub. The system reads ahead meanwhile.
func (s *scrub) sum(f *os.File, buf []byte) (sum Hash, err error) {
	h := sha256.New()
	for off := int64(0); ; {
		begun := time.Now()
		n, err := f.ReadAt(buf, off)
		if n == len(buf) {
			unix.Fadvise(int(f.Fd()), off+int64(n), 4*scrubBuffer, unix.FADV_WILLNEED)
		}
		h.Write(buf[:n])
		off += int64(n)
		s.took(int64(n))
		s.pace.took(time.Since(begun))
		if err == io.EOF {
			h.Sum(sum[:0])
			return sum, nil
		}
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			return sum, err
		}
		s.pace.wait(s.ctx.Done(), int64(n))
	}
}

// pace holds a scrub to its rate. While data comes in, it takes a quarter of it.
type pace struct {
	rate int64 // bytes a second, 0 for no bound
	busy atomic.Bool
	due  atomic.Int64 // ns, when the next bytes may be read
	used atomic.Int64 // ns of work
}

// busyShare is what part of the rate is left to a scrub while data comes in.
const busyShare = 4

func (p *pace) set(rate int64) { p.rate = rate }

func (p *pace) took(d time.Duration) { p.used.Add(int64(d)) }

func (p *pace) busySeconds() float64 { return time.Duration(p.used.Load()).Seconds() }

func (p *pace) wait(stop <-chan struct{}, n int64) {
	if p.rate <= 0 {
		return
	}
	rate := p.rate
	if p.busy.Load() {
		rate = max(rate/busyShare, 1)
	}
	now := time.Now().UnixNano()
	due := max(p.due.Load(), now) + int64(float64(n)/float64(rate)*1e9)
	p.due.Store(due)
	select {
	case <-time.After(time.Duration(due - now)):
	case <-stop:
	}
}

// catalogued is an object as the catalog has it.
type catalogued struct {
	key
	content
}

// after returns up to n objects that follow k in the catalog. It is called beside
// the vault's goroutine; damage is told to the caller alone.
func (c *catalog) after(k key, n int) (all []catalogued, err error) {
	err = guard(func() error {
		return c.db.View(func(tx *bbolt.Tx) error {
			cursor := tx.Bucket(bucketObjects).Cursor()
			name, data := cursor.Seek(k.bytes())
			if bytes.Equal(name, k.bytes()) {
				name, data = cursor.Next()
			}
			for ; name != nil && len(all) < n; name, data = cursor.Next() {
				o, err := parseCatalogued(name, data)
				if err != nil {
					return err
				}
				all = append(all, o)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the catalog: %w", err)
	}
	return all, nil
}

func parseCatalogued(name, data []byte) (o catalogued, err error) {
	at := bytes.IndexByte(name, 0)
	if at < 0 || len(name) != at+1+len(o.id) {
		return o, fmt.Errorf("the key %x: %w", name, ErrDamaged)
	}
	o.sender = string(name[:at])
	copy(o.id[:], name[at+1:])
	o.content, err = decodeContent(name, data)
	return o, err
}

// bytes returns the size of all objects together.
func (c *catalog) bytes() (total int64, err error) {
	err = guard(func() error {
		return c.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketObjects).ForEach(func(name, data []byte) error {
				o, err := parseCatalogued(name, data)
				total += o.Size
				return err
			})
		})
	})
	if err != nil {
		return 0, fmt.Errorf("reading the catalog: %w", err)
	}
	return total, nil
}

func decodeID(text string, id *ObjectID) bool {
	b, err := hex.DecodeString(text)
	return err == nil && copy(id[:], b) == len(b) && len(b) == len(id)
}
