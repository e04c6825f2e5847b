package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKeyFilesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	send, err := NewSender(filepath.Join(dir, "a", "send.key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSender(filepath.Join(dir, "a", "send.key")); err != nil || !got.Equal(send) {
		t.Errorf("sender: %v", err)
	}
	recv, err := NewReceiver(filepath.Join(dir, "b", "recv.key"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := LoadReceiver(filepath.Join(dir, "b", "recv.key"))
	if err != nil || ReceiverText(got.PublicKey()) != ReceiverText(recv.PublicKey()) {
		t.Errorf("receiver: %v", err)
	}
}

func TestKeyFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(dir, "k")
	if _, err := NewSender(path); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("more than the key is left in its directory: %v %v", entries, err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o601} {
		os.Chmod(path, mode)
		if _, err := LoadSender(path); !errors.Is(err, ErrMode) {
			t.Errorf("mode %v: %v, want ErrMode", mode, err)
		}
	}
	os.Chmod(path, 0o400)
	if _, err := LoadSender(path); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}

func TestKeyIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if _, err := NewReceiver(path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReceiver(path); !errors.Is(err, ErrExists) {
		t.Errorf("second receiver's key: %v, want ErrExists", err)
	}
	if _, err := NewSender(path); !errors.Is(err, ErrExists) {
		t.Errorf("sender's key in its place: %v, want ErrExists", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key changed (%v)", err)
	}
}

func TestDanglingLinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "k")
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSender(path); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
}

func TestOneOfManyWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, err := NewSender(path)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d keys were made in one place", made)
	}
}

func TestBadKeyFiles(t *testing.T) {
	good := senderSecret.encode(make([]byte, 32))
	cases := []struct {
		name, text string
		want       error
	}{
		{"empty", "", ErrNotKey},
		{"comments only", "# nothing\n\n", ErrNotKey},
		{"two keys", good + "\n" + good + "\n", ErrNotKey},
		{"words after the key", good + "\nhello\n", ErrNotKey},
		{"cut", good[:len(good)-3], ErrTypo},
		{"public key", SenderText(testSender(t)), ErrWrongKind},
		{"receiver's key", receiverSecret.encode(make([]byte, 32)), ErrWrongKind},
		{"huge", "#" + strings.Repeat("x", maxFile) + "\n" + good, ErrNotKey},
		{"binary", "\x00\xff\xfe", ErrNotKey},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSender(path)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v with the path", c.name, err, c.want)
		}
	}
	if _, err := LoadSender(t.TempDir()); !errors.Is(err, ErrNotKey) {
		t.Errorf("a directory: %v, want ErrNotKey", err)
	}
	if _, err := LoadSender(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want ErrNotExist", err)
	}
}

func TestFIFOIsRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); !errors.Is(err, ErrNotKey) {
		t.Errorf("got %v, want ErrNotKey", err)
	}
}

func TestKeyFileWithCommentsAndBlanks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	text := "# mine\r\n\r\n  " + senderSecret.encode(make([]byte, 32)) + "  \r\n# end"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); err != nil {
		t.Error(err)
	}
}

func TestReadText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pub")
	if err := os.WriteFile(path, []byte("from a file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{"itself": "itself", "@" + path: "from a file\n", "@-": "from stdin"} {
		got, err := ReadText(arg, strings.NewReader("from stdin"))
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", arg, got, err)
		}
	}
	if _, err := ReadText("@"+path+".no", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	text, err := ReadText("@-", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil || len(text) > MaxText+1 {
		t.Errorf("%d bytes were read, %v", len(text), err)
	}
}

func TestKeyInReachOfOthersIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	path := filepath.Join(dir, "k")
	if _, err := NewSender(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); !errors.Is(err, ErrOwner) {
		t.Errorf("everybody may write to its directory: %v", err)
	}
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); err != nil {
		t.Errorf("with the sticky bit: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Log("whose file it is was not tested: that needs root")
		return
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); !errors.Is(err, ErrOwner) {
		t.Errorf("it belongs to another: %v", err)
	}
}
