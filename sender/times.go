package sender

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"weir/protocol"
)

// Times tells how often an object went out whole, and when it did so last. An
// object that went out once has no time of its own: it went with the first
// snapshot that lists it.
type Times struct {
	Count uint32
	Last  time.Time
}

const timesSize = 4 + 8

func readTimes(data []byte) Times {
	if len(data) != timesSize {
		return Times{Count: 1}
	}
	return Times{Count: binary.BigEndian.Uint32(data), Last: time.Unix(0, int64(binary.BigEndian.Uint64(data[4:]))).UTC()}
}

// countAll notes the objects among files that went out for another time. They go in by
// the order of their ids: a page into which tens of thousands are put at random is moved
// in memory for each of them.
func countAll(src *bbolt.Bucket, files []sentFile) error {
	var again []*sentFile
	for i := range files {
		if files[i].again != 0 {
			again = append(again, &files[i])
		}
	}
	slices.SortFunc(again, func(a, b *sentFile) int { return bytes.Compare(a.Object[:], b.Object[:]) })
	for _, f := range again {
		if err := count(src, f); err != nil {
			return err
		}
	}
	return nil
}

// count notes that an object went out for another time. Those that go out for the
// first time are not noted: in a new tree those are all.
func count(src *bbolt.Bucket, f *sentFile) error {
	b, err := src.CreateBucketIfNotExists(bucketObjects)
	if err != nil {
		return err
	}
	t := readTimes(b.Get(f.Object[:]))
	data := binary.BigEndian.AppendUint32(nil, t.Count+1)
	return b.Put(f.Object[:], binary.BigEndian.AppendUint64(data, uint64(f.again)))
}

// times returns how often an object of a source went out.
func (s *State) times(source string, id protocol.ObjectID) (t Times) {
	_ = s.view(func(tx *bbolt.Tx) error { // at worst it is sent once too often
		if src := tx.Bucket(bucketSources).Bucket([]byte(source)); src != nil && src.Bucket(bucketObjects) != nil {
			t = readTimes(src.Bucket(bucketObjects).Get(id[:]))
		} else {
			t.Count = 1
		}
		return nil
	})
	return t
}
