package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Reasons for which a sender is not added.
var (
	ErrNameTaken = errors.New("another key is trusted under this name")
	ErrKeyTaken  = errors.New("this key is trusted under another name")
)

// AddSender adds a [[sender]] to the receiver's configuration at path and
// leaves every other byte of the file as it is. It reports whether something
// was added: a sender that is there already, with the same key, is none. The
// file is replaced atomically and keeps its mode and owner.
func AddSender(path string, s TrustedSender) (added bool, err error) {
	// Through a symbolic link, or the rename would replace the link.
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, missing(path, "weir-recv")
	}
	if err != nil {
		return false, fmt.Errorf("finding the configuration: %w", err)
	}
	unlock, err := lockDir(filepath.Dir(target))
	if err != nil {
		return false, fmt.Errorf("locking the directory of %s: %w", path, err)
	}
	defer unlock()
	data, err := readFile(target, "weir-recv")
	if err != nil {
		return false, err
	}
	c, err := ParseReceiver(path, data)
	if err != nil {
		return false, err
	}
	if known, err := c.trusts(s); known || err != nil {
		return false, err
	}
	data = appendSender(data, s)
	if _, err := ParseReceiver(path, data); err != nil {
		return false, fmt.Errorf("adding a sender would break the file: %w", err)
	}
	if err := replaceFile(target, data); err != nil {
		return false, fmt.Errorf("writing the configuration %s: %w", path, err)
	}
	return true, nil
}

func (c *Receiver) trusts(s TrustedSender) (bool, error) {
	for _, t := range c.Senders {
		switch {
		case t.Name == s.Name && t.Key == s.Key:
			return true, nil
		case t.Name == s.Name:
			return false, fmt.Errorf("%w: to replace it, edit its [[sender]] in %s by hand", ErrNameTaken, c.File)
		case t.Key == s.Key:
			return false, fmt.Errorf("%w, %q: each sender has a key of its own", ErrKeyTaken, t.Name)
		}
	}
	return false, nil
}

func appendSender(data []byte, s TrustedSender) []byte {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	return fmt.Appendf(data, "\n[[sender]]\nname = %s\nkey = %s\n", quote(s.Name), quote(s.Key))
}

// lockDir keeps two writers apart. The file itself cannot carry the lock: it
// is replaced.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}

func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(info.Mode().Perm()))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	// The service may run as another user than the one who trusts a key, and
	// must still be able to read the file.
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
