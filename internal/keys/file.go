package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// What can be wrong with a key file.
var (
	ErrExists = errors.New("it exists already and is not overwritten")
	ErrMode   = errors.New("others can read this key file")
	ErrOwner  = errors.New("others can change this key file")
)

// FileMode is the mode of key files; any bit for group or others is refused.
const FileMode fs.FileMode = 0o600

// maxFile bounds a key file, in bytes, before it is read.
const maxFile = 16 << 10

// NewReceiver makes a receiver's key and writes it to path, which must not
// exist (ErrExists). The file and its directory are synced.
func NewReceiver(path string) (hpke.PrivateKey, error) {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("making a receiver's key: %w", err)
	}
	raw, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("making a receiver's key: %w", err)
	}
	defer clear(raw)
	text := fileText(receiverSecret, raw, ReceiverText(key.PublicKey()))
	defer clear(text)
	if err := WriteNew(path, text, FileMode); err != nil {
		return nil, fmt.Errorf("writing the key %s: %w", path, err)
	}
	return key, nil
}

// NewSender makes a sender's key and writes it to path, which must not exist
// (ErrExists). The file and its directory are synced.
func NewSender(path string) (ed25519.PrivateKey, error) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a sender's key: %w", err)
	}
	text := fileText(senderSecret, key.Seed(), SenderText(pub))
	defer clear(text)
	if err := WriteNew(path, text, FileMode); err != nil {
		return nil, fmt.Errorf("writing the key %s: %w", path, err)
	}
	return key, nil
}

func fileText(k kind, raw []byte, public string) []byte {
	return fmt.Appendf(nil, `# %s. Keep it on this host and out of backups that others read.
# Fingerprint of its public key: %s
%s
`, strings.ToUpper(k.what[:1])+k.what[1:]+" of weir", Fingerprint(public), k.encode(raw))
}

// LoadReceiver reads a receiver's key. A file that group or others can read is
// refused (ErrMode).
func LoadReceiver(path string) (hpke.PrivateKey, error) {
	raw, err := load(path, receiverSecret)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	defer clear(raw)
	key, err := hpke.MLKEM768X25519().NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return key, nil
}

// LoadSender reads a sender's key. A file that group or others can read is
// refused (ErrMode).
func LoadSender(path string) (ed25519.PrivateKey, error) {
	raw, err := load(path, senderSecret)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	defer clear(raw)
	return ed25519.NewKeyFromSeed(raw), nil
}

func load(path string, k kind) ([]byte, error) {
	// Without O_NONBLOCK opening a FIFO would wait for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := checkFile(f); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	defer clear(text)
	if err != nil {
		return nil, err
	}
	line, err := keyLine(text)
	if err != nil {
		return nil, err
	}
	return k.decode(line)
}

// checkFile looks at the open file, not at the path, so that nobody can swap
// the file between the look and the read.
func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no regular file", ErrNotKey)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w (mode %04o); if nobody read it, run: chmod 600 %s", ErrMode, mode, f.Name())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d; run: chown %d %s", ErrOwner, st.Uid, os.Geteuid(), f.Name())
	}
	return checkParent(filepath.Dir(f.Name()))
}

// checkParent refuses a directory in which anybody could put another key in the
// place of this one.
func checkParent(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: everybody may write to %s; run: chmod o-w %s", ErrOwner, dir, dir)
	}
	return nil
}

// keyLine returns the one line of a key file that is neither empty nor a
// comment.
func keyLine(text []byte) (string, error) {
	if len(text) > maxFile {
		return "", fmt.Errorf("%w: the file is larger than %d bytes", ErrNotKey, maxFile)
	}
	var key string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case key != "":
			return "", fmt.Errorf("%w: it has more than one key line", ErrNotKey)
		default:
			key = line
		}
	}
	if key == "" {
		return "", fmt.Errorf("%w: it has no key line", ErrNotKey)
	}
	return key, nil
}

// WriteNew writes a new file that appears whole or not at all, even after a
// power cut, and never replaces one (ErrExists). Missing directories are made
// with mode 0700.
func WriteNew(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := fill(temp, data, mode); err != nil {
		return err
	}
	// link(2) fails where the name is taken; rename(2) would replace it.
	if err := os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	return syncDir(dir)
}

func fill(f *os.File, data []byte, mode fs.FileMode) error {
	_, err := io.Copy(f, bytes.NewReader(data))
	return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadText returns a public key's text as given on a command line: the text
// itself, or @FILE to read it from a file, @- from in.
func ReadText(arg string, in io.Reader) (string, error) {
	name, isFile := strings.CutPrefix(arg, "@")
	if !isFile {
		return arg, nil
	}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("reading a public key: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, MaxText+1))
	if err != nil {
		return "", fmt.Errorf("reading a public key from %s: %w", name, err)
	}
	return string(text), nil
}
