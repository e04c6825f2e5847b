package sender

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

const (
	// recallBatch is how many files a recall reads from the state at once. A
	// transaction that stood open for the whole walk would keep the state from
	// using its free pages again.
	recallBatch = 4096
	// staleMost bounds the keys of files that are gone which a recall keeps until
	// the snapshot has been sent.
	staleMost = 100_000
)

// recall reads what the state remembers of a source, in step with a walk: both
// are in path order, so nothing is looked up. It is not safe for concurrent use.
type recall struct {
	state  *State
	source string
	batch  []remembered
	arena  []byte // keys and values of the batch
	at     int    // in batch: the first that the walk has not come to
	last   []byte // key of the last one of the batches so far
	ended  bool   // no batch follows
	key    []byte
	stale  [][]byte
}

// remembered is one file of the state.
type remembered struct {
	key, value []byte
}

func (s *State) recall(source string) *recall { return &recall{state: s, source: source} }

// find returns the version that the path had when it was last sent. Paths must be
// asked for in path order. What lies between them is taken to be gone.
func (r *recall) find(path string) (v version, ok bool, err error) {
	r.key = appendFileKey(r.key[:0], path)
	found, err := r.advance(r.key)
	if err != nil || found == nil {
		return v, false, err
	}
	// A damaged entry only costs that the file is sent again.
	ok = v.decode(found.value)
	return v, ok, nil
}

// advance goes to the first key that is not below key, or past the end for nil,
// and returns what lies at exactly that key.
func (r *recall) advance(key []byte) (*remembered, error) {
	for {
		for ; r.at < len(r.batch); r.at++ {
			f := &r.batch[r.at]
			if key != nil {
				if c := bytes.Compare(f.key, key); c == 0 {
					r.at++
					return f, nil
				} else if c > 0 {
					return nil, nil
				}
			}
			r.stale = append(r.stale, bytes.Clone(f.key))
		}
		if r.ended {
			return nil, nil
		}
		if len(r.stale) >= staleMost {
			if err := r.forget(); err != nil {
				return nil, err
			}
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads the next batch.
func (r *recall) fill() error {
	r.batch, r.arena, r.at = r.batch[:0], r.arena[:0], 0
	err := r.state.view(func(tx *bbolt.Tx) error {
		files := filesOf(tx, r.source)
		if files == nil {
			return nil
		}
		c := files.Cursor()
		k, v := c.Seek(r.last)
		if k != nil && r.last != nil && bytes.Equal(k, r.last) {
			k, v = c.Next()
		}
		for ; k != nil && len(r.batch) < recallBatch; k, v = c.Next() {
			r.add(k, v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading what was sent of %s: %w", r.source, err)
	}
	if r.ended = len(r.batch) < recallBatch; !r.ended {
		r.last = append(r.last[:0], r.batch[len(r.batch)-1].key...)
	}
	return nil
}

// add copies one file out of the transaction. Where the arena moves, what was
// added before stays in the old one.
func (r *recall) add(k, v []byte) {
	at := len(r.arena)
	r.arena = append(append(r.arena, k...), v...)
	r.batch = append(r.batch, remembered{key: r.arena[at:][:len(k):len(k)], value: r.arena[at+len(k):]})
}

// finish forgets the files that the walk did not come by.
func (r *recall) finish() error {
	if _, err := r.advance(nil); err != nil {
		return err
	}
	return r.forget()
}

func (r *recall) forget() error {
	err := r.state.forget(r.source, r.stale)
	r.stale = r.stale[:0]
	return err
}
