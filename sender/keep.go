package sender

import (
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/protocol"
)

// keeps reports whether content is kept from changes.
func (r *Repeat) keeps() bool { return r.Spool != SpoolNone && (r.Passes > 1 || r.SpoolKeep > 0) }

// makeKept makes the directories of what is kept, so that no walk meets one that it
// does not know as the sender's own. Trouble is told when something is to be kept.
func (s *Sender) makeKept() {
	_ = os.MkdirAll(s.history.dir, 0o700)
	if s.cfg.Repeat.keeps() {
		_ = os.MkdirAll(s.cfg.Repeat.SpoolDir, 0o700)
	}
}

// newSpool opens the spool of a sender and finds out for which snapshots it keeps
// what it has. What is nobody's is of a snapshot that was never finished: the next
// one may list it.
func (s *Sender) newSpool() (err error) {
	r := &s.cfg.Repeat
	if s.spool, err = openSpool(r.SpoolDir, r.Spool, r.SpoolBytes); err != nil {
		return err
	}
	s.spool.room = s.makeRoom
	if !s.spool.has() {
		return nil
	}
	sent, err := s.cfg.State.Sent()
	if err != nil {
		return err
	}
	for _, one := range sent {
		if one.Released {
			continue
		}
		if err := s.claimAll(one); err != nil {
			s.cfg.Log.Error().Str(event.Field, event.PassFailed).Str("snapshot", one.Source+"/"+one.Name()).Err(err).
				Msg("the kept manifest of a snapshot is damaged; it cannot be sent again")
		}
	}
	return nil
}

// claimAll keeps for a snapshot what it lists, unless an earlier one does that and
// all passes are done.
func (s *Sender) claimAll(one *Sent) error {
	free := s.spool.keptFor(holder{})
	return s.history.each(one, func(e *manifest.Entry) error {
		id := protocol.ObjectID(e.Object)
		if free[id] || s.owesPasses(one.Source, id) {
			s.spool.claim(id, holder{one.Source, one.Number})
		}
		return nil
	})
}

// owesPasses reports whether an object has not gone out as often as it should.
func (s *Sender) owesPasses(source string, id protocol.ObjectID) bool {
	return s.cfg.State.times(source, id).Count < uint32(s.cfg.Repeat.Passes)
}

func (s *snapshot) holder() holder { return holder{s.job.Source, s.result.Number} }

// spoolFile keeps the content of a file that was just read for its later passes.
// A hard link changes the time of the inode's last change, which must not make a
// new version of the file.
func (s *snapshot) spoolFile(id protocol.ObjectID, f *os.File, v *version) {
	if !s.cfg.Repeat.keeps() {
		return
	}
	if err := s.spool.put(id, f, v.Size, s.holder()); err != nil {
		s.notSpooled(err)
		return
	}
	if s.spool.mode == SpoolLink {
		v.relink(f)
	}
}

// spoolKnown keeps the content of a file that is not sent again and is owed passes
// all the same: the snapshot that sent it may never have been finished.
func (s *snapshot) spoolKnown(n *node, known version) {
	if !s.cfg.Repeat.keeps() || !s.owesPasses(s.job.Source, known.Object) || s.spool.claim(known.Object, s.holder()) {
		return
	}
	f, st, err := n.open()
	if err != nil {
		return // it has changed just now; the next snapshot says so
	}
	defer f.Close()
	was, is := fileVersion(&n.stat), fileVersion(st)
	if !was.sameFile(&is) {
		return
	}
	before := known.ChangeTime
	if s.spoolFile(known.Object, f, &known); known.ChangeTime != before {
		s.packer.ledger.add([]sentFile{{path: n.path, version: known}})
	}
}

// spooledNames returns how many hard links the spool has to a file, which is the known
// version or not.
func (s *snapshot) spooledNames(known *version, same bool) uint64 {
	if same && s.spool.mode == SpoolLink && s.spool.holds(known.Object) {
		return 1
	}
	return 0
}

// relink takes over the time of change of a file whose links, and nothing else,
// changed in number.
func (v *version) relink(f *os.File) {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return
	}
	if now := fileVersion(&st); now.Size == v.Size && now.ModTime == v.ModTime && now.Inode == v.Inode && now.Device == v.Device {
		v.Bare = v.Bare && v.ChangeTime == now.ChangeTime // setting an attribute moves it too
		v.ChangeTime = now.ChangeTime
	}
}

// spoolStream returns the stream, which goes into the spool as it is read.
func (s *snapshot) spoolStream() *streamCopy {
	if !s.cfg.Repeat.keeps() {
		return &streamCopy{from: s.job.Stream, spool: s.spool, err: errNotSpooled}
	}
	return s.spool.tee(s.job.Stream, s.holder())
}

// notSpooled counts what is not kept; the first reason stands for all.
func (s *snapshot) notSpooled(err error) {
	if s.unspooled++; s.unspooled == 1 {
		s.unspooledWhy = err
	}
}

func (s *snapshot) tellSpool() {
	if s.unspooled == 0 || !s.cfg.Repeat.keeps() {
		return
	}
	s.cfg.Log.Warn().Str(event.Field, event.SpoolShort).Str("source", s.job.Source).Int64("files", s.unspooled).Err(s.unspooledWhy).
		Msg("files are not kept for their later passes; they are sent again only if they do not change")
}
