package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir/internal/statefile"
)

// Reasons for which a sender is not added, or a key not revoked.
var (
	ErrNameTaken  = errors.New("another key is trusted under this name; if the sender has both, add --further, and if it has a new one only, revoke the old one first")
	ErrKeyTaken   = errors.New("this key is trusted under another name")
	ErrKeyRevoked = errors.New("this key is revoked")
	ErrNoSender   = errors.New("no sender of this name is trusted with this key; weir-recv senders shows those that are")
)

// AddSender adds a [[sender]] to the receiver's configuration at path and
// leaves every other byte of the file as it is. It reports whether something
// was added: a sender that is there already, with the same key, is none. A second
// key for a name needs further, so that nobody replaces a host by mistake. The
// file is replaced atomically and keeps its mode and owner.
func AddSender(path string, s TrustedSender, further bool) (added bool, err error) {
	return addTable(path, "sender", s, func(c *Receiver) (bool, error) { return c.trusts(s, further) })
}

// Revoke adds a [[revoked]] to the receiver's configuration at path, in the way of
// AddSender. The key has to be one that is trusted under the name.
func Revoke(path string, s TrustedSender) (added bool, err error) {
	return addTable(path, "revoked", s, func(c *Receiver) (bool, error) {
		if c.isRevoked(s.Key) {
			return true, nil
		}
		for _, t := range c.Senders {
			if t.Name == s.Name && t.Key == s.Key {
				return false, nil
			}
		}
		return false, ErrNoSender
	})
}

// addTable appends a table to the configuration, unless known says that it need
// not or must not.
func addTable(path, table string, s TrustedSender, known func(*Receiver) (bool, error)) (added bool, err error) {
	// Through a symbolic link, or the rename would replace the link.
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, &absent{path, "weir-recv"}
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
	if known, err := known(&c); known || err != nil {
		return false, err
	}
	data = appendTable(data, table, s)
	if _, err := ParseReceiver(path, data); err != nil {
		return false, fmt.Errorf("adding to it would break the file: %w", err)
	}
	if err := statefile.Renew(target, data); err != nil {
		return false, fmt.Errorf("writing the configuration %s: %w", path, err)
	}
	return true, nil
}

func (c *Receiver) trusts(s TrustedSender, further bool) (bool, error) {
	if c.isRevoked(s.Key) {
		return false, fmt.Errorf("%w in %s", ErrKeyRevoked, c.File)
	}
	taken := false
	for _, t := range c.Senders {
		switch {
		case t.Name == s.Name && t.Key == s.Key:
			return true, nil
		case t.Key == s.Key:
			return false, fmt.Errorf("%w, %q: each sender has keys of its own", ErrKeyTaken, t.Name)
		case t.Name == s.Name && !c.isRevoked(t.Key):
			taken = true
		}
	}
	if taken && !further {
		return false, ErrNameTaken
	}
	return false, nil
}

func appendTable(data []byte, table string, s TrustedSender) []byte {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	return fmt.Appendf(data, "\n[[%s]]\nname = %s\nkey = %s\n", table, quote(s.Name), quote(s.Key))
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
