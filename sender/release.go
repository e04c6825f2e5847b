package sender

import (
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/protocol"
)

// Why content leaves the spool.
const (
	whyOver = "all passes are done and spool_keep is over"
	whyRoom = "spool_size is reached"
)

// releaseDue returns when the spool need not keep a snapshot's content any longer:
// spool_keep after its last pass, or after a repair code asked for some of it.
func (s *Sender) releaseDue(sent *Sent) (time.Time, bool) {
	n := len(sent.Passes)
	if n == 0 || n < s.cfg.Repeat.Passes || sent.Released || !s.spool.has() {
		return time.Time{}, false
	}
	last := sent.Passes[n-1]
	if sent.ResentAt.After(last) {
		last = sent.ResentAt
	}
	at, now := last.Add(s.cfg.Repeat.SpoolKeep), s.cfg.Clock.Now()
	if at.After(now.Add(s.cfg.Repeat.SpoolKeep)) { // the clock was set back
		return now.Add(s.cfg.Repeat.SpoolKeep), true
	}
	return at, true
}

// release frees what the spool keeps for a snapshot and for none that came later.
func (s *Sender) release(sent *Sent, why string) error {
	kept := s.spool.keptFor(holder{sent.Source, sent.Number})
	before, bytes := s.spool.use()
	var relinked []sentFile
	// A manifest that cannot be read costs that linked files are sent again.
	_ = s.history.each(sent, func(e *manifest.Entry) error {
		if !kept[e.Object] {
			return nil
		}
		delete(kept, e.Object)
		if v, ok := s.dropLinked(sent.Source, e); ok {
			relinked = append(relinked, sentFile{path: e.Path, version: v})
		}
		return nil
	})
	for id := range kept { // of snapshots that were never finished, or are forgotten
		s.spool.drop(id)
	}
	if err := s.cfg.State.save(sent.Source, relinked); err != nil {
		return err
	}
	after, left := s.spool.use()
	if after != before {
		s.cfg.Log.Info().Str(event.Field, event.SpoolReleased).Str("snapshot", s.cfg.Name+"/"+sent.Source+"/"+sent.Name()).
			Int64("objects", before-after).Int64("bytes", bytes-left).Str("why", why).
			Msg("content is not kept any longer; what changed since cannot be sent again")
	}
	fresh, err := s.cfg.State.sent(sent.Source, sent.Number)
	if err != nil {
		return err
	}
	fresh.Released = true
	return s.cfg.State.saveSent(fresh)
}

// dropLinked drops an object and returns the version that its file is now: taking a
// link away changes the time of its last change.
func (s *Sender) dropLinked(source string, e *manifest.Entry) (version, bool) {
	f := s.spool.open(e.Object, e.Size)
	if f == nil {
		s.spool.drop(e.Object)
		return version{}, false
	}
	defer f.Close()
	known, ok := s.cfg.State.known(source, e.Path)
	var before unix.Stat_t
	if ok = ok && unix.Fstat(int(f.Fd()), &before) == nil; ok {
		v := fileVersion(&before)
		ok = known.sameFile(&v)
	}
	s.spool.drop(e.Object)
	if ok {
		known.relink(f)
	}
	return known, ok
}

// makeRoom frees what the spool keeps longest after its passes. It returns false
// where all of it is owed passes still. A linked file that a push under way has
// looked at before is sent again.
func (s *Sender) makeRoom() bool {
	if free := s.spool.keptFor(holder{}); len(free) > 0 {
		s.dropUnlisted(free)
		return true
	}
	all, err := s.cfg.State.Sent()
	if err != nil {
		return false
	}
	var oldest *Sent
	for _, sent := range all {
		if _, done := s.releaseDue(sent); !done || len(s.spool.keptFor(holder{sent.Source, sent.Number})) == 0 {
			continue
		}
		if oldest == nil || sent.Passes[len(sent.Passes)-1].Before(oldest.Passes[len(oldest.Passes)-1]) {
			oldest = sent
		}
	}
	if oldest == nil {
		return false
	}
	return s.release(oldest, whyRoom) == nil
}

// dropUnlisted drops what no snapshot lists.
func (s *Sender) dropUnlisted(ids map[protocol.ObjectID]bool) {
	for id := range ids {
		s.spool.drop(id)
	}
	s.cfg.Log.Info().Str(event.Field, event.SpoolReleased).Int("objects", len(ids)).Str("why", whyRoom).
		Msg("content of snapshots that were never finished is not kept any longer")
}
