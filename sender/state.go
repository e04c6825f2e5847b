package sender

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"weir/protocol"
)

// Buckets of the state. Under each source's own bucket lie its files and facts.
var (
	bucketMeta    = []byte("meta")
	bucketSources = []byte("sources")
	bucketFiles   = []byte("files")
	keyCounter    = []byte("counter")
	keyNumber     = []byte("number")
	keyLatest     = []byte("latest")
)

// lockWait is how long another process may hold the state before it counts as
// in use.
const lockWait = time.Second

// ErrInUse is returned when another process holds the state.
var ErrInUse = errors.New("another weir-send holds it; wait until it has ended, or set socket so that push finds it")

// nextCounter returns a session counter above all earlier ones. It takes the
// clock's milliseconds where those are higher, so that a sender whose state was
// lost is still accepted.
func (s *State) nextCounter(now time.Time) (counter uint64, err error) {
	err = s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketMeta)
		counter = max(number(b.Get(keyCounter))+1, uint64(max(now.UnixMilli(), 1)))
		return b.Put(keyCounter, binary.BigEndian.AppendUint64(nil, counter))
	})
	if err != nil {
		return 0, fmt.Errorf("saving the session counter: %w", err)
	}
	return counter, nil
}

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// nextNumber returns the number of the next snapshot of the source. A snapshot
// that is never finished uses its number up.
func (s *State) nextNumber(source string) (n uint64, err error) {
	err = s.update(func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketSources).CreateBucketIfNotExists([]byte(source))
		if err != nil {
			return err
		}
		if _, err := b.CreateBucketIfNotExists(bucketFiles); err != nil {
			return err
		}
		n = number(b.Get(keyNumber)) + 1
		return b.Put(keyNumber, binary.BigEndian.AppendUint64(nil, n))
	})
	if err != nil {
		return 0, fmt.Errorf("numbering a snapshot of %s: %w", source, err)
	}
	return n, nil
}

// latest is the last snapshot of a source that was sent whole.
type latest struct {
	Number   uint64        `json:"number"`
	Taken    int64         `json:"taken"`
	Manifest protocol.Hash `json:"manifest"`
}

func (s *State) latest(source string) (l latest, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketSources).Bucket([]byte(source))
		if b == nil || b.Get(keyLatest) == nil {
			return nil
		}
		return l.decode(b.Get(keyLatest))
	})
	if err != nil {
		return l, fmt.Errorf("reading the latest snapshot of %s: %w", source, err)
	}
	return l, nil
}

// decode reads what setLatest wrote. Older programs wrote the hash as a list of
// numbers.
func (l *latest) decode(data []byte) error {
	err := json.Unmarshal(data, l)
	if err == nil {
		return nil
	}
	var old struct {
		Number   uint64   `json:"number"`
		Taken    int64    `json:"taken"`
		Manifest [32]byte `json:"manifest"`
	}
	if json.Unmarshal(data, &old) != nil {
		return err
	}
	*l = latest{Number: old.Number, Taken: old.Taken, Manifest: old.Manifest}
	return nil
}

func (s *State) setLatest(source string, l latest) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSources).Bucket([]byte(source)).Put(keyLatest, data)
	})
	if err != nil {
		return fmt.Errorf("saving the latest snapshot of %s: %w", source, err)
	}
	return nil
}

// known returns the version that the path had when it was last sent.
func (s *State) known(source, path string) (v version, ok bool) {
	// An unreadable or damaged entry only costs that the file is sent again.
	_ = s.view(func(tx *bbolt.Tx) error {
		ok = v.decode(filesOf(tx, source).Get(fileKey(path)))
		return nil
	})
	return v, ok
}

// filesOf returns the bucket of a source's files, nil if there is none.
func filesOf(tx *bbolt.Tx, source string) *bbolt.Bucket {
	b := tx.Bucket(bucketSources).Bucket([]byte(source))
	if b == nil {
		return nil
	}
	return b.Bucket(bucketFiles)
}

// sentFile is a file whose object has left the socket.
type sentFile struct {
	path string // "" if it is not to be remembered
	version
	again int64 // when it was sent once more, ns; 0 for the first time
}

// fillPages is how full the pages of the state become. Files come in path order,
// so that a page that was filled gets nothing more in between.
const fillPages = 0.9

// save remembers files that were sent.
func (s *State) save(source string, files []sentFile) error {
	if len(files) == 0 {
		return nil
	}
	err := s.update(func(tx *bbolt.Tx) error {
		src := tx.Bucket(bucketSources).Bucket([]byte(source))
		b := src.Bucket(bucketFiles)
		b.FillPercent = fillPages
		if err := countAll(src, files); err != nil {
			return err
		}
		for i := range files {
			path := files[i].path
			if len(path) == 0 || len(path) > bbolt.MaxKeySize {
				continue // it is sent again each time
			}
			// The transaction keeps both until it ends.
			if err := b.Put(fileKey(path), appendVersion(nil, &files[i].version)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("saving what was sent of %s: %w", source, err)
	}
	return nil
}

// sweepBatch bounds the deletions of one transaction.
const sweepBatch = 10000

// forget drops files from the state by their keys.
func (s *State) forget(source string, keys [][]byte) error {
	for len(keys) > 0 {
		n := min(len(keys), sweepBatch)
		err := s.update(func(tx *bbolt.Tx) error {
			b := filesOf(tx, source)
			for _, key := range keys[:n] {
				if err := b.Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("forgetting files of %s that are gone: %w", source, err)
		}
		keys = keys[n:]
	}
	return nil
}
