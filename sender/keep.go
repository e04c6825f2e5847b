package sender

import (
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/protocol"
)

// newSpool opens the spool of a sender.
func (s *Sender) newSpool() (err error) {
	r := &s.cfg.Repeat
	s.spool, err = openSpool(r.SpoolDir, r.Spool, r.SpoolBytes, func(all map[protocol.ObjectID]int64) error {
		sent, err := s.cfg.State.Sent()
		if err != nil {
			return err
		}
		for _, one := range sent {
			if len(one.Passes) >= r.Passes {
				continue
			}
			err := s.history.each(one, func(e *manifest.Entry) error {
				delete(all, e.Object)
				return nil
			})
			if err != nil {
				s.cfg.Log.Error().Str(event.Field, event.PassFailed).Str("snapshot", one.Source+"/"+one.Name()).Err(err).
					Msg("the kept manifest of a snapshot is damaged; it cannot be sent again")
			}
		}
		return nil
	})
	return err
}

// spoolFile keeps the content of a file that was just read for its later passes.
// A hard link changes the time of the inode's last change, which must not make a
// new version of the file.
func (s *snapshot) spoolFile(id protocol.ObjectID, f *os.File, v *version) {
	if s.cfg.Repeat.Passes < 2 || s.spool.mode == SpoolNone {
		return
	}
	if err := s.spool.put(id, f, v.Size); err != nil {
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
	if s.cfg.Repeat.Passes < 2 || s.spool.mode == SpoolNone || s.spool.holds(known.Object) ||
		s.cfg.State.times(s.job.Source, known.Object).Count >= uint32(s.cfg.Repeat.Passes) {
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
	if s.cfg.Repeat.Passes < 2 {
		return &streamCopy{from: s.job.Stream, spool: s.spool, err: errNotSpooled}
	}
	return s.spool.tee(s.job.Stream)
}

// notSpooled counts what is not kept; the first reason stands for all.
func (s *snapshot) notSpooled(err error) {
	if s.unspooled++; s.unspooled == 1 {
		s.unspooledWhy = err
	}
}

func (s *snapshot) tellSpool() {
	if s.unspooled == 0 || s.cfg.Repeat.Passes < 2 || s.spool.mode == SpoolNone {
		return
	}
	s.cfg.Log.Warn().Str(event.Field, event.SpoolShort).Str("source", s.job.Source).Int64("files", s.unspooled).Err(s.unspooledWhy).
		Msg("files are not kept for their later passes; they are sent again only if they do not change")
}

// spoolDone frees the spool's copy of an object whose passes are done.
func (s *Sender) spoolDone(source string, e *manifest.Entry) error {
	if s.cfg.State.times(source, e.Object).Count < uint32(s.cfg.Repeat.Passes) && s.history.listed(source, e) {
		return nil // a later snapshot lists it and may owe it passes
	}
	f := s.spool.open(e.Object, e.Size)
	if f == nil {
		s.spool.drop(e.Object)
		return nil
	}
	defer f.Close()
	known, ok := s.cfg.State.known(source, e.Path)
	var before unix.Stat_t
	if ok = ok && unix.Fstat(int(f.Fd()), &before) == nil; ok {
		v := fileVersion(&before)
		ok = known.sameFile(&v)
	}
	s.spool.drop(e.Object)
	if !ok {
		return nil
	}
	known.relink(f)
	return s.cfg.State.save(source, []sentFile{{path: e.Path, version: known}})
}
