package sender

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestUncachedReadsWhatThereIs holds that both ways to read give the same bytes and
// the same end, wherever they begin.
func TestUncachedReadsWhatThereIs(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef!"), uncachedFrom/16)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := reading(f, uncachedFrom-1).(*os.File); !ok {
		t.Error("a small file is not read as it is")
	}
	for _, plain := range []bool{false, true} {
		u := reading(f, int64(len(content))).(*uncached)
		u.plain = plain
		got, err := io.ReadAll(io.NewSectionReader(u, 3, 1<<40))
		if err != nil || !bytes.Equal(got, content[3:]) {
			t.Errorf("plain %v: %d bytes, want %d, %v", plain, len(got), len(content)-3, err)
		}
		buf := make([]byte, 100)
		if n, err := u.ReadAt(buf, int64(len(content)-7)); n != 7 || !errors.Is(err, io.EOF) || !bytes.Equal(buf[:7], content[len(content)-7:]) {
			t.Errorf("plain %v: at the end %d bytes, %v", plain, n, err)
		}
		if n, err := u.ReadAt(buf, int64(len(content))); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("plain %v: behind the end %d bytes, %v", plain, n, err)
		}
	}
}

// TestUncachedLeavesMemoryAlone holds, where the file system keeps files in memory
// at all, that a large file that was read is not there afterwards.
func TestUncachedLeavesMemoryAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 4*uncachedFrom), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
			t.Fatal(err)
		}
		before := resident(t, f)
		if _, err := io.Copy(io.Discard, io.NewSectionReader(&uncached{File: f, plain: plain}, 0, 1<<40)); err != nil {
			t.Fatal(err)
		}
		if after := resident(t, f); after > before+forgetEvery {
			t.Errorf("plain %v: %d bytes of it are in memory, %d were before", plain, after, before)
		}
		f.Close()
	}
}

// resident returns how much of a file is in memory, in bytes.
func resident(t *testing.T, f *os.File) (n int) {
	t.Helper()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	pages := make([]byte, (len(m)+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	for _, p := range pages {
		n += int(p&1) * os.Getpagesize()
	}
	return n
}
