package powercut

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Op is what a faulty directory is asked for.
type Op int

// Operations that can fail by themselves.
const (
	Read Op = iota
	Write
	Sync
	Rename
	Make // of files, directories and links
	Remove
	ops
)

// Faulty is a directory, served over FUSE from another one, whose operations fail
// when they are told to: a disk fails as a whole and takes its file system with it,
// here a single call of a program does.
type Faulty struct {
	server *fuse.Server
	dir    string
	errnos [ops]atomic.Int32
}

// ServeFaulty mounts on dir what lies in the directory behind. Only root can.
func ServeFaulty(dir, behind string) (*Faulty, error) {
	f := &Faulty{dir: dir}
	data := &fs.LoopbackRoot{Path: behind}
	root := &faultyNode{LoopbackNode: &fs.LoopbackNode{RootData: data}, faulty: f}
	data.RootNode = root
	server, err := mount(dir, root, fuse.MountOptions{FsName: "weir-faulty"})
	if err != nil {
		return nil, fmt.Errorf("serving a faulty directory on %s: %w", dir, err)
	}
	f.server = server
	return f, nil
}

// Fail makes operations fail with errno, 0 ends it.
func (f *Faulty) Fail(errno syscall.Errno, which ...Op) {
	for _, op := range which {
		f.errnos[op].Store(int32(errno))
	}
}

// Close unmounts the directory, as Disk.Close does.
func (f *Faulty) Close() error { return unmount(f.server, f.dir) }

func (f *Faulty) errno(op Op) syscall.Errno { return syscall.Errno(f.errnos[op].Load()) }

// faultyNode is a file or directory in it.
type faultyNode struct {
	*fs.LoopbackNode
	faulty *Faulty
}

// WrapChild makes what is found or made in the directory fail likewise.
func (n *faultyNode) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &faultyNode{LoopbackNode: child.(*fs.LoopbackNode), faulty: n.faulty}
}

var (
	_ = fs.NodeWrapChilder((*faultyNode)(nil))
	_ = fs.NodeOpener((*faultyNode)(nil))
	_ = fs.NodeReader((*faultyNode)(nil))
	_ = fs.NodeWriter((*faultyNode)(nil))
	_ = fs.NodeFsyncer((*faultyNode)(nil))
	_ = fs.NodeRenamer((*faultyNode)(nil))
	_ = fs.NodeCreater((*faultyNode)(nil))
	_ = fs.NodeMkdirer((*faultyNode)(nil))
	_ = fs.NodeLinker((*faultyNode)(nil))
	_ = fs.NodeUnlinker((*faultyNode)(nil))
	_ = fs.NodeRmdirer((*faultyNode)(nil))
)

// faultyFile is an open file in it, of which the kernel must not take reads and
// writes past us.
type faultyFile struct{ *fs.LoopbackFile }

// PassthroughFd refuses that.
func (faultyFile) PassthroughFd() (int, bool) { return 0, false }

func faultyHandle(h fs.FileHandle) fs.FileHandle {
	if f, ok := h.(*fs.LoopbackFile); ok {
		return faultyFile{f}
	}
	return h
}

func (n *faultyNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return faultyHandle(h), fuseFlags, errno
}

func (n *faultyNode) Read(ctx context.Context, h fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if e := n.faulty.errno(Read); e != 0 {
		return nil, e
	}
	return h.(fs.FileReader).Read(ctx, p, off)
}

func (n *faultyNode) Write(ctx context.Context, h fs.FileHandle, p []byte, off int64) (uint32, syscall.Errno) {
	if e := n.faulty.errno(Write); e != 0 {
		return 0, e
	}
	return h.(fs.FileWriter).Write(ctx, p, off)
}

func (n *faultyNode) Fsync(ctx context.Context, h fs.FileHandle, flags uint32) syscall.Errno {
	if e := n.faulty.errno(Sync); e != 0 {
		return e
	}
	if f, ok := h.(fs.FileFsyncer); ok {
		return f.Fsync(ctx, flags)
	}
	return 0 // of a directory: the one behind is not to survive a power cut
}

func (n *faultyNode) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if e := n.faulty.errno(Rename); e != 0 {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

func (n *faultyNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.faulty.errno(Make); e != 0 {
		return nil, nil, 0, e
	}
	inode, h, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, faultyHandle(h), fuseFlags, errno
}

func (n *faultyNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.errno(Make); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *faultyNode) Link(ctx context.Context, to fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.faulty.errno(Make); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Link(ctx, to, name, out)
}

func (n *faultyNode) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.faulty.errno(Remove); e != 0 {
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *faultyNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	if e := n.faulty.errno(Remove); e != 0 {
		return e
	}
	return n.LoopbackNode.Rmdir(ctx, name)
}
