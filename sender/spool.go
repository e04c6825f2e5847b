package sender

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/protocol"
)

// SpoolMode says how content that is owed further passes is kept from changes.
type SpoolMode string

// The ways to keep it.
const (
	SpoolNone SpoolMode = "none" // not at all: what changes meanwhile is not sent again
	SpoolLink SpoolMode = "link" // hard links: against deletion and replacement
	SpoolCopy SpoolMode = "copy" // copies, shared with the file where the file system can
)

// DefaultSpoolBytes bounds the spool unless the Config says otherwise.
const DefaultSpoolBytes int64 = 10 << 30

// DefaultSpoolKeep is how long content stays after its last pass unless the Config
// says otherwise.
const DefaultSpoolKeep = 7 * 24 * time.Hour

// spool holds content until all of its passes are done, and for as long after as
// repair codes may ask for it, in files named by their object.
type spool struct {
	dir  string
	mode SpoolMode
	most int64 // bytes
	// room frees what may go of the spool; false if nothing does.
	room func() bool

	// flush brings the file system of an open directory to stable storage.
	flush func(fd int) error

	mu    sync.Mutex
	used  int64
	files map[protocol.ObjectID]*spooled
	fresh bool // something was put in since the last sync
}

// spooled is the content of an object.
type spooled struct {
	size int64
	by   holder
}

// holder is the last snapshot that listed an object while it was owed passes: what
// the object is kept for. Nobody's is what a snapshot sent that was never finished.
type holder struct {
	source string
	number uint64
}

// openSpool opens the spool. What is in it belongs to nobody yet.
func openSpool(dir string, mode SpoolMode, most int64) (*spool, error) {
	s := &spool{dir: dir, mode: mode, most: most, flush: unix.Syncfs, files: map[protocol.ObjectID]*spooled{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	for _, e := range entries {
		if err := s.find(e); err != nil {
			return nil, err
		}
	}
	cut, _ := filepath.Glob(filepath.Join(dir, streamTemp))
	for _, path := range cut { // short by a crash
		os.Remove(path)
	}
	return s, nil
}

// streamTemp is the pattern of names of streams that are not whole.
const streamTemp = "stream-*"

// errForeign is returned for a directory that somebody else keeps files in.
var errForeign = errors.New("this is no file of the spool; name in spool_dir a directory for the spool alone")

// find takes up a file of the spool's directory. Directories are left alone, as
// lost+found.
func (s *spool) find(e fs.DirEntry) error {
	info, err := e.Info()
	if part, _ := filepath.Match(streamTemp, e.Name()); part || err != nil || e.IsDir() {
		return nil
	}
	var id protocol.ObjectID
	if n, err := hex.Decode(id[:], []byte(e.Name()[:min(len(e.Name()), hex.EncodedLen(len(id)))])); err != nil || n != len(id) || id.String() != e.Name() {
		return fmt.Errorf("opening the spool: %s: %w", filepath.Join(s.dir, e.Name()), errForeign)
	}
	s.files[id] = &spooled{size: info.Size()}
	s.used += info.Size()
	return nil
}

// claim keeps an object that the spool has for another snapshot. It returns false
// if the spool does not have it.
func (s *spool) claim(id protocol.ObjectID, by holder) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f != nil && (f.by.source != by.source || f.by.number < by.number) {
		f.by = by
	}
	return f != nil
}

// keptFor returns what is kept for a snapshot or an earlier one of its source.
func (s *spool) keptFor(by holder) map[protocol.ObjectID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[protocol.ObjectID]bool{}
	for id, f := range s.files {
		if f.by.source == by.source && f.by.number <= by.number {
			all[id] = true
		}
	}
	return all
}

func (s *spool) path(id protocol.ObjectID) string { return filepath.Join(s.dir, id.String()) }

// errSpoolFull is returned where something has no room.
var errSpoolFull = errors.New("the spool is full of what is owed passes; raise spool_size, or lower passes or pass_spacing")

// errOtherDisk is returned where no hard link can be made.
var errOtherDisk = errors.New("the file is on another file system than the spool: name in spool_dir a directory on that one, or write spool = \"copy\"")

// fits makes room for so many bytes more, if it can.
func (s *spool) fits(n int64) bool {
	for {
		_, used := s.use()
		if used+n <= s.most {
			return true
		}
		if n > s.most || s.room == nil || !s.room() {
			return false
		}
	}
}

// reserve takes room for an object.
func (s *spool) reserve(id protocol.ObjectID, size int64, by holder) error {
	if s.claim(id, by) {
		return fs.ErrExist
	}
	if !s.fits(size) {
		return errSpoolFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	s.files[id] = &spooled{size: size, by: by}
	s.used += size
	s.fresh = true
	return nil
}

// sync brings what was put in to stable storage, all of it at once: a snapshot of
// many small files would else wait for the disk at each of them.
func (s *spool) sync() error {
	s.mu.Lock()
	fresh := s.fresh
	s.fresh = false
	s.mu.Unlock()
	if !fresh {
		return nil
	}
	dir, err := os.Open(s.dir)
	if err == nil {
		err = s.flush(int(dir.Fd()))
		dir.Close()
	}
	if err != nil {
		return fmt.Errorf("bringing the spool to stable storage: %w", err)
	}
	return nil
}

// put keeps the content of an open file as the object.
func (s *spool) put(id protocol.ObjectID, f *os.File, size int64, by holder) error {
	if s.mode == SpoolNone {
		return nil
	}
	err := s.reserve(id, size, by)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil && s.mode == SpoolLink {
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, s.path(id), unix.AT_SYMLINK_FOLLOW)
	} else if err == nil {
		err = s.copy(id, f, size)
	}
	if errors.Is(err, unix.EXDEV) {
		err = errOtherDisk
	}
	if err != nil {
		if !errors.Is(err, errSpoolFull) {
			s.drop(id)
		}
		return fmt.Errorf("keeping a file for its later passes: %w", err)
	}
	return nil
}

// copy clones the file where the file system can (ioctl_ficlone(2)), and copies
// it elsewhere: as much as was sent, though it may have grown since.
func (s *spool) copy(id protocol.ObjectID, f *os.File, size int64) error {
	to, err := os.OpenFile(s.path(id), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(to.Fd()), int(f.Fd())) != nil {
		_, err = io.Copy(to, io.NewSectionReader(f, 0, size))
	} else {
		err = to.Truncate(size)
	}
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return err
}

// open returns the content of an object, nil if the spool does not have it.
func (s *spool) open(id protocol.ObjectID, size int64) *os.File {
	s.mu.Lock()
	_, ok := s.files[id]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	f, err := os.Open(s.path(id))
	if err != nil {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Size() != size {
		f.Close()
		return nil
	}
	return f
}

// drop frees what an object takes.
func (s *spool) drop(id protocol.ObjectID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil {
		return
	}
	os.Remove(s.path(id))
	delete(s.files, id)
	s.used -= f.size
}

// holds reports whether the spool keeps an object.
func (s *spool) holds(id protocol.ObjectID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[id] != nil
}

// has reports whether the spool keeps anything at all.
func (s *spool) has() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.files) > 0
}

// Use returns how many objects the spool holds and their bytes.
func (s *spool) use() (objects, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.files)), s.used
}

// streamCopy writes a stream into the spool as it is read. Its object gets its
// name when it is whole.
type streamCopy struct {
	from  io.Reader
	spool *spool
	by    holder
	file  *os.File
	size  int64
	err   error
}

// tee returns a reader of r that copies into the spool.
func (s *spool) tee(r io.Reader, by holder) *streamCopy {
	c := &streamCopy{from: r, spool: s, by: by}
	if s.mode != SpoolCopy {
		c.err = errNotSpooled
		return c
	}
	if c.err = os.MkdirAll(s.dir, 0o700); c.err == nil {
		c.file, c.err = os.CreateTemp(s.dir, streamTemp)
	}
	return c
}

var errNotSpooled = errors.New("a stream is kept only with spool = \"copy\"")

func (c *streamCopy) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if c.err == nil && n > 0 {
		if !c.spool.fits(c.size + int64(n)) {
			c.err = errSpoolFull
		} else {
			_, c.err = c.file.Write(p[:n])
		}
		c.size += int64(n)
	}
	return n, err
}

// end gives the copy its name, or throws it away.
func (c *streamCopy) end(id protocol.ObjectID, good bool) error {
	if c.file == nil {
		return c.err
	}
	if err := c.file.Close(); c.err == nil {
		c.err = err
	}
	if c.err == nil && good {
		if c.err = c.spool.reserve(id, c.size, c.by); c.err == nil {
			if c.err = os.Rename(c.file.Name(), c.spool.path(id)); c.err == nil {
				return nil
			}
			c.spool.drop(id)
		}
	}
	os.Remove(c.file.Name())
	return c.err
}
