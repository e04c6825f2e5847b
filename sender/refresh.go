package sender

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"weir/internal/manifest"
)

var (
	keyRefreshing = []byte("refreshing") // when the refresh under way began
	keyRefreshed  = []byte("refreshed")  // when all of the source was last sent
)

// refreshes reports whether the source of a snapshot is refreshed. A stream cannot
// be read a second time.
func (s *Sender) refreshes(sent *Sent) bool { return s.cfg.Repeat.Refresh > 0 && len(sent.Paths) > 0 }

func (s *Sender) refreshDue(sent *Sent) time.Time {
	last := s.cfg.State.refreshTime(sent.Source, keyRefreshed)
	if last.IsZero() { // sent before that was noted
		last = sent.Taken
	}
	at, now := last.Add(s.cfg.Repeat.Refresh), s.cfg.Clock.Now()
	if at.After(now.Add(s.cfg.Repeat.Refresh)) {
		return now
	}
	return at
}

// refresh sends all of a snapshot, unchanged files too: what the vault should
// hold of the source now.
func (s *Sender) refresh(ctx context.Context, sent *Sent, u *turn) error {
	began := s.cfg.State.refreshTime(sent.Source, keyRefreshing)
	if began.IsZero() {
		began = s.cfg.Clock.Now()
		if err := s.cfg.State.setRefreshTime(sent.Source, keyRefreshing, began); err != nil {
			return err
		}
	}
	wanted := func(e *manifest.Entry) bool {
		return s.cfg.State.times(sent.Source, e.Object).Last.Before(began)
	}
	a, err := s.sendAgain(ctx, sent, u, wanted)
	if err != nil {
		return fmt.Errorf("refreshing %s/%s: %w", sent.Source, sent.Name(), err)
	}
	s.told(a, 0)
	return s.cfg.State.endRefresh(sent.Source, began)
}

func (s *State) refreshTime(source string, key []byte) (t time.Time) {
	_ = s.view(func(tx *bbolt.Tx) error {
		if n := number(tx.Bucket(bucketSources).Bucket([]byte(source)).Get(key)); n != 0 {
			t = time.Unix(0, int64(n))
		}
		return nil
	})
	return t
}

func (s *State) setRefreshTime(source string, key []byte, t time.Time) error {
	defer s.changes.Add(1)
	err := s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSources).Bucket([]byte(source)).Put(key, binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())))
	})
	if err != nil {
		return fmt.Errorf("saving the time of a refresh of %s: %w", source, err)
	}
	return nil
}

// endRefresh notes that the refresh that began then is finished.
func (s *State) endRefresh(source string, began time.Time) error {
	if err := s.setRefreshTime(source, keyRefreshed, began); err != nil {
		return err
	}
	err := s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSources).Bucket([]byte(source)).Delete(keyRefreshing)
	})
	if err != nil {
		return fmt.Errorf("ending a refresh of %s: %w", source, err)
	}
	return nil
}
