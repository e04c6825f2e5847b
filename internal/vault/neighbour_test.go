package vault

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/rs/zerolog"

	"weir/internal/event"
)

// TestLimitOfOneIsNotAnothers: an object in memory that its sender may not have any
// more must not take with it what comes next, which may be of somebody else.
func TestLimitOfOneIsNotAnothers(t *testing.T) {
	g := newStore(t)
	var log bytes.Buffer
	g.v.log = zerolog.New(&log)
	g.v.partialMost = 0
	s := g.shot(1, 1000)
	other := Snapshot{Sender: "other", Source: "etc", Number: 1, Taken: s.Taken}
	g.v.WriteRange(other, ObjectID{1}, 0, []byte("no end of it comes"))
	f := s.files[0]
	if err := g.v.WriteRange(s.Snapshot, f.id, 0, f.content); err != nil {
		t.Errorf("refused for what another has too much of: %v", err)
	}
	g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
	if !g.v.has(key{s.Sender, f.id}) {
		t.Error("the object is lost")
	}
	g.v.WriteRange(other, ObjectID{2}, 0, []byte("nor of this one"))
	g.v.Settle(true)
	if bytes.Contains(log.Bytes(), []byte(event.DiskError)) {
		t.Errorf("the disk is blamed for it: %s", log.Bytes())
	}
}
