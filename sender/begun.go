package sender

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"weir/protocol"
)

// bucketBegun holds, under each source, the numbers that were given out, with
// time and, once there is one, hash of the manifest. A repair code may name a
// snapshot that was never finished, or that is forgotten, beside others: it is
// recognised by these.
var bucketBegun = []byte("begun")

const (
	begunKept = 4096 // numbers of a source
	begunSize = 8 + len(protocol.Hash{})
)

// begin notes a snapshot that is begun, or its manifest when it is finished.
func (s *State) begin(source string, n uint64, taken time.Time, manifest protocol.Hash) error {
	err := s.update(func(tx *bbolt.Tx) error { return noteBegun(tx, source, n, taken, manifest) })
	if err != nil {
		return fmt.Errorf("noting snapshot %d of %s: %w", n, source, err)
	}
	return nil
}

func noteBegun(tx *bbolt.Tx, source string, n uint64, taken time.Time, manifest protocol.Hash) error {
	b, err := tx.Bucket(bucketSources).Bucket([]byte(source)).CreateBucketIfNotExists(bucketBegun)
	if err != nil {
		return err
	}
	if n > begunKept {
		if err := b.Delete(numberKey(n - begunKept)); err != nil {
			return err
		}
	}
	data := binary.BigEndian.AppendUint64(nil, uint64(taken.UnixNano()))
	return b.Put(numberKey(n), append(data, manifest[:]...))
}

// begun returns the snapshots of that number that were begun, whatever became of
// them. Only what a repair code is bound to is filled in.
func (s *State) begun(n uint64) (all []*Sent, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		sources := tx.Bucket(bucketSources)
		return sources.ForEachBucket(func(name []byte) error {
			b := sources.Bucket(name).Bucket(bucketBegun)
			if b == nil {
				return nil
			}
			if data := b.Get(numberKey(n)); len(data) == begunSize {
				one := &Sent{Source: string(name), Number: n, Taken: time.Unix(0, int64(binary.BigEndian.Uint64(data))).UTC()}
				copy(one.SHA256[:], data[8:])
				all = append(all, one)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading what was begun: %w", err)
	}
	return all, nil
}
