package sender

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// State is what the sender remembers: which object each version of a file
// became, the numbers of snapshots, the session counter. What is lost with it
// is only that unchanged files are sent again.
type State struct {
	db      *bbolt.DB
	path    string
	changes atomic.Uint64 // of what was sent
	damaged atomic.Bool   // a part of it could not be read: nothing is read or written any more
}

// ErrStateDamaged is returned for a state that cannot be read.
var ErrStateDamaged = errors.New("it is damaged; move it away and start weir-send anew, so that a new one is made: all is sent anew then, and nothing that the vault has is lost")

// OpenState opens the state at path and makes it if it is not there.
func OpenState(path string) (*State, error) {
	db, err := openBolt(path)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		err = ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", ErrStateDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the state %s: %w", path, err)
	}
	return &State{db: db, path: path}, nil
}

// openBolt opens the database and makes its buckets.
func openBolt(path string) (db *bbolt.DB, err error) {
	err = survive(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
		return err
	})
	if err != nil {
		return nil, err
	}
	err = survive(func() error { return db.Update(makeBuckets) })
	if errors.Is(err, ErrStateDamaged) {
		return nil, err // what it holds goes with the program
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func makeBuckets(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucketIfNotExists(bucketMeta); err != nil {
		return err
	}
	_, err := tx.CreateBucketIfNotExists(bucketSources)
	return err
}

// survive turns what the library does where pages are damaged into an error: it
// panics, and the kernel ends who reads behind the end of a file that was cut.
func survive(work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrStateDamaged, r)
		}
	}()
	return work()
}

func (s *State) view(look func(*bbolt.Tx) error) error {
	return s.guard(func() error { return s.db.View(look) })
}

func (s *State) update(change func(*bbolt.Tx) error) error {
	return s.guard(func() error { return s.db.Update(change) })
}

// guard does nothing any more once a part of the state was damaged: what the library
// had locked then stays locked.
func (s *State) guard(work func() error) error {
	err := fmt.Errorf("the state %s: %w", s.path, ErrStateDamaged)
	if s.damaged.Load() {
		return err
	}
	got := survive(work)
	if !errors.Is(got, ErrStateDamaged) {
		return got
	}
	s.damaged.Store(true)
	return fmt.Errorf("the state %s: %w", s.path, got)
}

// Close closes the state. A damaged one goes with the program.
func (s *State) Close() error {
	if s.damaged.Load() {
		return nil
	}
	return survive(s.db.Close)
}
