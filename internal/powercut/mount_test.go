package powercut

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// system is a file system under test.
type system struct {
	name   string
	mkfs   []string
	size   int64  // of the disk, in bytes
	tear   int    // what its sectors are: btrfs needs its superblock written whole
	mkfs4k bool   // its sectors are 4096 bytes
	option string // of mount, so that a copy of a disk is not taken for the disk
}

var systems = []system{
	{name: "ext4", mkfs: []string{"mkfs.ext4", "-q", "-F"}, size: 192 << 20, tear: Sector},
	{name: "xfs", mkfs: []string{"mkfs.xfs", "-q", "-f"}, size: 320 << 20, tear: Sector, option: "nouuid"},
	{name: "btrfs", mkfs: []string{"mkfs.btrfs", "-q", "-f"}, size: 256 << 20, tear: page, mkfs4k: true},
}

// need skips a test where it cannot run, or fails it where it has to.
func (s system) need(t *testing.T) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("WEIR_NETNS") == "1" {
		skip = t.Fatalf
	}
	if os.Getuid() != 0 {
		skip("only root can mount file systems")
	}
	for _, program := range []string{s.mkfs[0], "losetup", "mount", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			skip("%s is not on this machine", program)
		}
	}
	for _, path := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("this machine has no loop devices or no FUSE: %v", err)
		}
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil || !slices.Contains(strings.Fields(string(known)), s.name) {
		if exec.Command("modprobe", s.name).Run() != nil {
			t.Skipf("this kernel cannot mount %s", s.name)
		}
	}
}

func do(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// attach makes a loop device of a file.
func (s system) attach(t *testing.T, path string) (device string, detach func()) {
	t.Helper()
	args := []string{"--find", "--show"}
	if s.mkfs4k {
		args = append(args, "--sector-size", "4096")
	}
	device = do(t, "losetup", append(args, path)...)
	return device, func() { exec.Command("losetup", "-d", device).Run() }
}

// mount mounts a device on the directory dir.
func (s system) mount(device, dir string) (unmount func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	args := []string{"-t", s.name, device, dir}
	if s.option != "" {
		args = append([]string{"-o", s.option}, args...)
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mount %v: %w: %s", args, err, out)
	}
	return func() {
		if exec.Command("umount", dir).Run() != nil {
			exec.Command("umount", "-l", dir).Run()
		}
	}, nil
}

// scratch is a directory for disks, in memory if there is such a place.
func scratch(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "weir-powercut-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// record begins to remember what is written to a disk, for cuts of its power.
func (s system) record(t *testing.T, d *Disk, dir string) *Cuts {
	t.Helper()
	d.Record()
	c, err := d.Cuts(filepath.Join(dir, "base"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.Tear = s.tear
	return c
}

// closed closes a disk of a test, which must leave nothing mounted.
func closed(t *testing.T, disk interface{ Close() error }) {
	if err := disk.Close(); err != nil {
		t.Error(err)
	}
}

// disk makes a disk with an empty file system, mounted at the path returned.
func (s system) disk(t *testing.T, dir string) (d *Disk, mounted string, unmount func()) {
	t.Helper()
	served := filepath.Join(dir, "served")
	if err := os.Mkdir(served, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := Serve(served, s.size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, d) })
	device, detach := s.attach(t, d.Path())
	t.Cleanup(detach)
	do(t, s.mkfs[0], append(s.mkfs[1:], device)...)
	mounted = filepath.Join(dir, "mounted")
	if unmount, err = s.mount(device, mounted); err != nil {
		t.Fatal(err)
	}
	unmount = sync.OnceFunc(unmount)
	t.Cleanup(unmount)
	do(t, "sync", "-f", mounted)
	return d, mounted, unmount
}
