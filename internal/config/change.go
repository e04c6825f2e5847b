package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/internal/statefile"
)

// SetReceiver puts another receiver's key into the sender's configuration at path
// and leaves every other byte of the file as it is. The file is replaced
// atomically and keeps its mode and owner.
func SetReceiver(path, key string) error {
	target, err := filepath.EvalSymlinks(path) // or the rename would replace the link
	if errors.Is(err, os.ErrNotExist) {
		return &absent{path, "weir-send"}
	}
	if err != nil {
		return fmt.Errorf("finding the configuration: %w", err)
	}
	unlock, err := lockDir(filepath.Dir(target))
	if err != nil {
		return fmt.Errorf("locking the directory of %s: %w", path, err)
	}
	defer unlock()
	data, err := readFile(target, "weir-send")
	if err != nil {
		return err
	}
	changed, err := withReceiver(target, data, key)
	if err != nil {
		return fmt.Errorf("changing receiver in %s: %w; write it by hand", path, err)
	}
	if err := statefile.Renew(target, changed); err != nil {
		return fmt.Errorf("writing the configuration %s: %w", path, err)
	}
	return nil
}

// withReceiver replaces the line of the key. One that is written in another way than
// on one line is for a person to change.
func withReceiver(path string, data []byte, key string) ([]byte, error) {
	if _, err := ParseSender(path, data); err != nil {
		return nil, err
	}
	d := &document{path: path, data: data}
	n := d.line("", 0, "receiver")
	lines := strings.SplitAfter(string(data), "\n")
	if n == 0 {
		return nil, errors.New("it is not on a line of its own")
	}
	end := lines[n-1][len(strings.TrimRight(lines[n-1], "\r\n")):]
	lines[n-1] = "receiver = " + quote(key) + end
	changed := []byte(strings.Join(lines, ""))
	if c, err := ParseSender(path, changed); err != nil || c.Receiver != key {
		return nil, errors.Join(err, errors.New("it is not on one line"))
	}
	return changed, nil
}
