// Package keyoffer keeps what senders have offered as their next signing key, each
// in a file of the vault, until a person accepts it. A file stays when its offer
// was accepted: it holds the counter below which nothing is taken any more.
package keyoffer

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/keys"
	"weir/internal/names"
	"weir/internal/statefile"
)

// An Offer is a key that a sender wants to sign with, signed by one that is trusted.
type Offer struct {
	Sender   string    `json:"sender"`
	Counter  uint64    `json:"counter"`
	Key      string    `json:"key"` // text, for keys.ParseSender
	Received time.Time `json:"received"`
}

// Fingerprint returns what two people compare.
func (o Offer) Fingerprint() string { return keys.Fingerprint(o.Key) }

const (
	dirName = "offers"
	ownDir  = ".weir"
	suffix  = ".json"
	maxFile = 64 << 10 // bytes, before one is read
	// every bounds how often a sender's offer is replaced by another: one that is in
	// an attacker's hands can sign as many as it likes.
	every = time.Minute
)

// What can be wrong with an offer.
var (
	ErrNone  = errors.New("nothing is offered")
	ErrOld   = errors.New("its counter is not above the last one")
	ErrOften = errors.New("another was offered less than a minute ago")
)

// A Book holds the offers of a vault. It may be used from anywhere.
type Book struct {
	dir    string
	turn   sync.Mutex
	offers map[string]Offer
	now    func() time.Time
}

// Open reads the offers in a vault.
func Open(vault string, now func() time.Time) (*Book, error) {
	b := &Book{dir: filepath.Join(vault, ownDir, dirName), offers: map[string]Offer{}, now: now}
	if err := os.Mkdir(b.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the directory of offered keys: %w", err)
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the offered keys: %w", err)
	}
	for _, e := range entries {
		name, ok := cutSuffix(e.Name())
		if !ok {
			continue
		}
		o, err := Read(vault, name)
		if err != nil {
			return nil, err // without its counter an older offer could be played in
		}
		b.offers[name] = o
	}
	return b, nil
}

func cutSuffix(file string) (name string, ok bool) {
	name = file[:max(0, len(file)-len(suffix))]
	return name, name+suffix == file && names.Check(name) == nil
}

// Take notes an offer, whose signatures the caller has verified. It reports whether
// the offer is another than before, and returns ErrOld for one that is older than
// the last.
func (b *Book) Take(sender string, counter uint64, key ed25519.PublicKey) (Offer, bool, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	o := Offer{Sender: sender, Counter: counter, Key: keys.SenderText(key), Received: b.now().UTC()}
	last, ok := b.offers[sender]
	switch {
	case ok && last.Counter == counter && last.Key == o.Key:
		return last, false, nil
	case ok && last.Counter >= counter:
		return Offer{}, false, ErrOld
	case ok && o.Received.Sub(last.Received) < every && !o.Received.Before(last.Received):
		return Offer{}, false, ErrOften
	}
	if err := b.write(o); err != nil {
		return Offer{}, false, fmt.Errorf("keeping the key that %s offers: %w", sender, err)
	}
	b.offers[sender] = o
	return o, true, nil
}

// Find returns the offer of the key that is meant.
func (b *Book) Find(meant func(ed25519.PublicKey) bool) (Offer, bool) {
	b.turn.Lock()
	defer b.turn.Unlock()
	for _, o := range b.offers {
		if key, err := keys.ParseSender(o.Key); err == nil && meant(key) {
			return o, true
		}
	}
	return Offer{}, false
}

func (b *Book) write(o Offer) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return statefile.Replace(filepath.Join(b.dir, o.Sender+suffix), append(data, '\n'), 0o600)
}

// Read returns what a sender has offered to the vault, or ErrNone.
func Read(vault, sender string) (o Offer, err error) {
	if err := names.Check(sender); err != nil {
		return o, err
	}
	f, err := os.Open(filepath.Join(vault, ownDir, dirName, sender+suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return o, ErrNone
	}
	if err != nil {
		return o, fmt.Errorf("reading the offered key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err == nil {
		o, err = parse(data, sender)
	}
	if err != nil {
		return o, fmt.Errorf("reading the offered key in %s: %w", f.Name(), err)
	}
	return o, nil
}

func parse(data []byte, sender string) (o Offer, err error) {
	if err := json.Unmarshal(data, &o); err != nil {
		return Offer{}, err
	}
	if _, err := keys.ParseSender(o.Key); err != nil {
		return Offer{}, err
	}
	if o.Sender != sender || o.Counter == 0 {
		return Offer{}, errors.New("it is not of this sender")
	}
	return o, nil
}
