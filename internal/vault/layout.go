package vault

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/names"
)

// Names in the vault.
const (
	ownDir       = ".weir"
	dataDir      = "data"
	manifestFile = "manifest.jsonl"
	sigFile      = "manifest.sig"
	sumsFile     = "SHA256SUMS"
	infoFile     = "info.json"
	mapSuffix    = ".map"

	nameLayout = "2006-01-02T150405Z"
)

// ObjectID names an object of a sender.
type ObjectID [16]byte

// String returns the id in hex.
func (id ObjectID) String() string { return hex.EncodeToString(id[:]) }

// Hash is a SHA-256 sum.
type Hash [32]byte

// String returns the sum in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Snapshot names the state of one source at one time.
type Snapshot struct {
	Sender, Source string
	Number         uint64    // counts the snapshots of the source, from 1
	Taken          time.Time // by the sender's clock
}

// Limits of what a snapshot may be called. The years keep the name at its
// length, so that names sort by time.
const (
	maxNumber = 1e15
	minYear   = 1970
	maxYear   = 9999
)

// ErrName is returned for a snapshot whose sender, source, number or time
// cannot stand in the vault.
var ErrName = errors.New("not a name for a snapshot")

func (s Snapshot) check() error {
	if err := names.Check(s.Sender); err != nil {
		return fmt.Errorf("%w: sender: %w", ErrName, err)
	}
	if err := names.Check(s.Source); err != nil {
		return fmt.Errorf("%w: source: %w", ErrName, err)
	}
	if y := s.Taken.UTC().Year(); s.Number == 0 || s.Number > maxNumber || y < minYear || y > maxYear {
		return fmt.Errorf("%w: number %d, taken %v", ErrName, s.Number, s.Taken)
	}
	return nil
}

// Name returns the name of the restore point's directory.
func (s Snapshot) Name() string {
	return fmt.Sprintf("%s.%06d", s.Taken.UTC().Format(nameLayout), s.Number)
}

// Ref returns what an operator calls the snapshot.
func (s Snapshot) Ref() string { return s.Sender + "/" + s.Source + "/" + s.Name() }

// parseName is the inverse of Snapshot.Name.
func parseName(sender, source, name string) (Snapshot, error) {
	at, number, ok := strings.Cut(name, ".")
	taken, err := time.Parse(nameLayout, at)
	s := Snapshot{Sender: sender, Source: source, Taken: taken}
	if ok && err == nil {
		_, err = fmt.Sscanf(number, "%d", &s.Number)
	}
	if err != nil || !ok || s.check() != nil || s.Name() != name {
		return Snapshot{}, fmt.Errorf("%q: %w", name, ErrName)
	}
	return s, nil
}

// layout knows where things lie in a vault.
type layout struct{ dir string }

func (l layout) own(elem ...string) string {
	return filepath.Join(append([]string{l.dir, ownDir}, elem...)...)
}

func (l layout) point(s Snapshot) string   { return filepath.Join(l.dir, s.Sender, s.Source, s.Name()) }
func (l layout) pending(s Snapshot) string { return l.own("pending", s.Sender, s.Source, s.Name()) }
func (l layout) staging(s Snapshot) string {
	return l.own("staging", s.Sender+"+"+s.Source+"+"+s.Name())
}

func (l layout) object(k key) string {
	id := k.id.String()
	return l.own("objects", k.sender, id[:2], id)
}

func (l layout) incoming(k key) string { return l.own("incoming", k.sender, k.id.String()) }

// key names an object in the vault: ids are the senders' own.
type key struct {
	sender string
	id     ObjectID
}

// subdirs returns the names of the directories in one of the vault's own. What else
// somebody put there, as a file manager does, is none of the vault's business.
func subdirs(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}
