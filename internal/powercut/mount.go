package powercut

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const device = "/dev/fuse"

// mount mounts a file system that this process serves.
func mount(dir string, root fs.InodeEmbedder, o fuse.MountOptions) (*fuse.Server, error) {
	o.DirectMountStrict, o.AllowOther = true, true
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: o})
	if err == nil {
		keepFromChildren()
	}
	return server, err
}

// keepFromChildren closes the device in programs that are started from now on. With it
// open in one of them the kernel would wait for answers for ever once this process is
// dead, and nobody who uses the file system could be killed.
func keepFromChildren() {
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, path := range open {
		if target, err := os.Readlink(path); err == nil && target == device {
			if fd, err := strconv.Atoi(filepath.Base(path)); err == nil {
				syscall.CloseOnExec(fd)
			}
		}
	}
}

const (
	closeTries = 20
	closePause = 50 * time.Millisecond
)

func unmount(server *fuse.Server, dir string) error {
	var err error
	for range closeTries {
		if err = server.Unmount(); err == nil {
			return nil
		}
		time.Sleep(closePause)
	}
	if uerr := syscall.Unmount(dir, syscall.MNT_DETACH); uerr != nil {
		return fmt.Errorf("unmounting %s: %w", dir, errors.Join(err, uerr))
	}
	return nil
}
