package powercut

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// Sector is the smallest piece of a write that is never torn, in bytes.
	Sector = 512
	page   = 4096
	image  = "disk"
)

// op is one write, or a flush when it has no data.
type op struct {
	off  int64
	data []byte
}

// Disk is a file that records what is written to it. Its methods may be called
// from several goroutines.
type Disk struct {
	size   int64
	server *fuse.Server
	dir    string

	mu     sync.Mutex
	pages  map[int64]*[page]byte
	log    []op
	record bool

	stalled sync.RWMutex // held for writing while the disk stalls
	broken  atomic.Int32 // errno of writes and flushes, 0 for none
	unread  atomic.Int32 // errno of reads
	speed   atomic.Int64 // bytes a second of writes, 0 for no limit
}

// Serve mounts a disk of size bytes on the directory dir. Only root can.
func Serve(dir string, size int64) (*Disk, error) {
	d := &Disk{size: size, dir: dir, pages: map[int64]*[page]byte{}}
	server, err := mount(dir, &root{disk: d}, fuse.MountOptions{MaxWrite: 1 << 20, FsName: "weir-powercut"})
	if err != nil {
		return nil, fmt.Errorf("serving a disk on %s: %w", dir, err)
	}
	d.server = server
	return d, nil
}

// Path is the file to make a loop device of.
func (d *Disk) Path() string { return filepath.Join(d.dir, image) }

// Close unmounts the disk. One that is busy, as a loop device on it is let go of a
// little later than it is taken away, is waited for, and in the end taken out of sight.
func (d *Disk) Close() error { return unmount(d.server, d.dir) }

// Record begins to remember the writes. What was written before counts as flushed.
func (d *Disk) Record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record, d.log = true, nil
}

// Now returns the moment: how many writes and flushes have been.
func (d *Disk) Now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// Stall makes the disk wait with everything until the returned function is
// called.
func (d *Disk) Stall() (goOn func()) {
	d.stalled.Lock()
	return d.stalled.Unlock
}

// Limit makes writes take their time at so many bytes a second, 0 for no limit.
func (d *Disk) Limit(bytesPerSecond int64) { d.speed.Store(bytesPerSecond) }

// Fail makes writes and flushes fail with errno, 0 ends it.
func (d *Disk) Fail(errno syscall.Errno) { d.broken.Store(int32(errno)) }

// FailReads makes reads fail with errno, 0 ends it.
func (d *Disk) FailReads(errno syscall.Errno) { d.unread.Store(int32(errno)) }

func (d *Disk) wait() {
	d.stalled.RLock()
	//lint:ignore SA2001 to wait is all that is wanted
	d.stalled.RUnlock()
}

func (d *Disk) write(p []byte, off int64) syscall.Errno {
	d.wait()
	if e := d.broken.Load(); e != 0 {
		return syscall.Errno(e)
	}
	if s := d.speed.Load(); s > 0 {
		time.Sleep(time.Duration(int64(len(p)) * int64(time.Second) / s))
	}
	if off < 0 || off+int64(len(p)) > d.size {
		return syscall.ENOSPC
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.record {
		d.log = append(d.log, op{off, append([]byte(nil), p...)})
	}
	d.put(p, off)
	return 0
}

func (d *Disk) put(p []byte, off int64) {
	for len(p) > 0 {
		at, in := off/page, off%page
		if d.pages[at] == nil {
			d.pages[at] = new([page]byte)
		}
		n := copy(d.pages[at][in:], p)
		p, off = p[n:], off+int64(n)
	}
}

func (d *Disk) flush() syscall.Errno {
	d.wait()
	if e := d.broken.Load(); e != 0 {
		return syscall.Errno(e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.record {
		d.log = append(d.log, op{})
	}
	return 0
}

func (d *Disk) read(p []byte, off int64) (int, syscall.Errno) {
	d.wait()
	if e := d.unread.Load(); e != 0 {
		return 0, syscall.Errno(e)
	}
	p = p[:max(0, min(int64(len(p)), d.size-off))]
	d.mu.Lock()
	defer d.mu.Unlock()
	for done := 0; done < len(p); {
		at, in := (off+int64(done))/page, (off+int64(done))%page
		n := min(len(p)-done, int(page-in))
		if have := d.pages[at]; have != nil {
			copy(p[done:done+n], have[in:])
		} else {
			clear(p[done : done+n])
		}
		done += n
	}
	return len(p), 0
}

// root is the directory that holds the file.
type root struct {
	fs.Inode
	disk *Disk
}

func (r *root) OnAdd(ctx context.Context) {
	r.AddChild(image, r.NewPersistentInode(ctx, &file{disk: r.disk}, fs.StableAttr{Mode: fuse.S_IFREG}), false)
}

// file is the file itself.
type file struct {
	fs.Inode
	disk *Disk
}

var (
	_ = fs.NodeOnAdder((*root)(nil))
	_ = fs.NodeOpener((*file)(nil))
	_ = fs.NodeGetattrer((*file)(nil))
	_ = fs.NodeReader((*file)(nil))
	_ = fs.NodeWriter((*file)(nil))
	_ = fs.NodeFsyncer((*file)(nil))
)

// Open asks for direct I/O: each write of the loop device comes here at once.
func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o600, uint64(f.disk.size)
	return 0
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, errno := f.disk.read(p, off)
	return fuse.ReadResultData(p[:n]), errno
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	if errno := f.disk.write(p, off); errno != 0 {
		return 0, errno
	}
	return uint32(len(p)), 0
}

func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return f.disk.flush() }

// SaveTo writes the disk as it is into a file, with holes where it is empty.
func (d *Disk) SaveTo(path string) error {
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("saving a disk: %w", err)
	}
	defer out.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, p := range d.pages {
		if _, err := out.WriteAt(p[:], at*page); err != nil {
			return fmt.Errorf("saving a disk: %w", err)
		}
	}
	if err := out.Truncate(d.size); err != nil {
		return fmt.Errorf("saving a disk: %w", err)
	}
	return out.Close()
}
