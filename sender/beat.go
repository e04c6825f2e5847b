package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"weir/protocol"
)

// beatPlace is where the last heartbeat ended.
type beatPlace struct {
	source string
	number uint64
}

var errFull = errors.New("the heartbeat is full")

// Beat sends a heartbeat now, as an idle link does now and then, while Run runs. It is
// for who sends one snapshot and ends: of one of which nothing arrived nobody at the
// vault would ever learn otherwise, were it not for the heartbeat of the next.
func (s *Sender) Beat(ctx context.Context) error {
	return s.t.call(ctx, func() (told, link error) {
		err := s.t.heartbeat()
		if err == nil {
			err = s.t.offer()
		}
		return err, err
	})
}

// heartbeat returns the snapshots that follow the place after, round and round,
// as many as a heartbeat of room bytes holds.
func (s *State) heartbeat(after beatPlace, room int) ([]protocol.SourceState, error) {
	beat := &protocol.Heartbeat{}
	add := func(data []byte) error {
		one := &Sent{}
		if err := json.Unmarshal(data, one); err != nil {
			return err
		}
		beat.Sources = append(beat.Sources, protocol.SourceState{
			Source: one.Source, Number: one.Number, Taken: one.Taken.UnixNano(), Manifest: one.SHA256,
		})
		if n := len(beat.Sources); n > protocol.MaxHeartbeatSources || protocol.HeartbeatSize(beat) > room {
			beat.Sources = beat.Sources[:n-1]
			return errFull
		}
		return nil
	}
	err := s.view(func(tx *bbolt.Tx) error { return roundFrom(tx.Bucket(bucketSources), after, add) })
	if err != nil && !errors.Is(err, errFull) {
		return nil, fmt.Errorf("reading what was sent: %w", err)
	}
	return beat.Sources, nil
}

// roundFrom visits all snapshots once: those behind the place, then the others.
func roundFrom(sources *bbolt.Bucket, after beatPlace, visit func(data []byte) error) error {
	for _, behind := range []bool{true, false} {
		err := sources.ForEachBucket(func(name []byte) error {
			b := sources.Bucket(name).Bucket(bucketSent)
			where := bytes.Compare(name, []byte(after.source))
			if b == nil || where != 0 && (where > 0) != behind {
				return nil
			}
			first, last := uint64(0), ^uint64(0)
			if where == 0 && behind {
				first = after.number + 1
			} else if where == 0 {
				last = after.number
			}
			return visitNumbers(b, first, last, visit)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func visitNumbers(b *bbolt.Bucket, first, last uint64, visit func(data []byte) error) error {
	c := b.Cursor()
	for key, data := c.Seek(numberKey(first)); key != nil && number(key) <= last; key, data = c.Next() {
		if err := visit(data); err != nil {
			return err
		}
	}
	return nil
}
