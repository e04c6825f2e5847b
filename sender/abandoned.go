package sender

import (
	"encoding/binary"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"weir/protocol"
)

// abandoned are the snapshots that were begun and will never be finished, as the
// program was ended in the midst of them or the push failed. They are told with the
// heartbeats, in turn, so that nobody asks for them at the vault.
type abandoned struct {
	mu   sync.Mutex
	all  []protocol.Context
	next int // to be told
}

func (a *abandoned) add(c protocol.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all = append(a.all, c); len(a.all) > begunKept {
		a.all = a.all[1:]
	}
}

// record returns those whose turn it is, as many as a block of room bytes holds.
func (a *abandoned) record(room int) (r protocol.Abandoned) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n := min(len(a.all), protocol.MaxAbandoned); len(r.Snapshots) < n; a.next++ {
		r.Snapshots = append(r.Snapshots, a.all[a.next%len(a.all)])
		if last := len(r.Snapshots) - 1; protocol.AbandonedSize(&r) > room {
			r.Snapshots = r.Snapshots[:last]
			break
		}
	}
	return r
}

// loadAbandoned finds those of earlier processes. It is called before anything is
// begun in this one.
func (s *State) loadAbandoned(a *abandoned) error {
	err := s.view(func(tx *bbolt.Tx) error {
		sources := tx.Bucket(bucketSources)
		return sources.ForEachBucket(func(name []byte) error {
			b := sources.Bucket(name).Bucket(bucketBegun)
			if b == nil {
				return nil
			}
			return b.ForEach(func(key, data []byte) error {
				if len(data) != begunSize || [32]byte(data[8:]) != ([32]byte{}) {
					return nil
				}
				a.add(protocol.Context{Source: string(name), Number: number(key), Taken: int64(binary.BigEndian.Uint64(data))})
				return nil
			})
		})
	})
	if err != nil {
		return fmt.Errorf("reading which snapshots were never finished: %w", err)
	}
	return nil
}
