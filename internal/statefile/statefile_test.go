package statefile

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// only checks that the directory of path holds that file alone, with this content.
func only(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	left, derr := os.ReadDir(filepath.Dir(path))
	if err != nil || derr != nil || string(got) != want || len(left) != 1 {
		t.Errorf("%q beside %v, %v, %v", got, left, err, derr)
	}
}

func TestReplace(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		text string
		mode fs.FileMode
	}{{"one", 0o600}, {"two, longer", 0o444}, {"", 0o644}} {
		if err := Replace(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		only(t, path, c.text)
		if info, err := os.Stat(path); err != nil || info.Mode() != c.mode {
			t.Errorf("%v, %v", info, err)
		}
	}
}

func TestRenewKeepsModeAndOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Renew(path, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made: %v", err)
	}
	if err := Replace(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	uid := uint32(os.Getuid())
	if uid == 0 {
		uid = 12345
		if err := os.Chown(path, int(uid), -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := Renew(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	only(t, path, "two")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 || info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestCutShort lets the write fail in its midst: the old file stays, and nothing else.
func TestCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Replace(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ) // so that the write returns EFBIG
	defer signal.Reset(unix.SIGXFSZ)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	err := Replace(path, []byte(strings.Repeat("x", 5000)), 0o600)
	if rerr := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); rerr != nil {
		t.Fatal(rerr)
	}
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("a write that was cut short: %v", err)
	}
	only(t, path, "old")
}

// TestNameThatDoesNotLast tells of a directory that could not be synced, though the
// new file is there: nobody may count on it.
func TestNameThatDoesNotLast(t *testing.T) {
	real, synced := syncDir, ""
	defer func() { syncDir = real }()
	path := filepath.Join(t.TempDir(), "f")
	syncDir = func(dir string) error { synced = dir; return unix.EIO }
	if err := Replace(path, []byte("new"), 0o600); !errors.Is(err, unix.EIO) || synced != filepath.Dir(path) {
		t.Errorf("%v, synced %q", err, synced)
	}
	only(t, path, "new")
}

// TestNoPlace leaves nothing behind where the file cannot be put.
func TestNoPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if err := Replace(filepath.Join(path, "none", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v are left, %v", left, err)
	}
}
