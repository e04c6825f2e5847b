package sender

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/internal/sealing"
	"weir/protocol"
)

// file sends a regular file, or refers to what was sent of it before.
func (s *snapshot) file(ctx context.Context, n *node) error {
	known, found, err := s.recall.find(n.path)
	if err != nil {
		return err
	}
	v := fileVersion(&n.stat)
	before := known.Device
	ok := found && s.unchanged(n, &known, &v) && s.sealedRight(&known)
	if !ok || s.job.All {
		// It will be read. The walk looked at it ahead, perhaps some time ago.
		if n.lookAgain(); !n.isFile() {
			return s.turned(n)
		}
		v = fileVersion(&n.stat)
		ok = found && s.unchanged(n, &known, &v) && s.sealedRight(&known)
	}
	if first, again := s.links.met(n, s.spooledNames(&known, ok)); again {
		return s.manifest.add(&manifest.Entry{Path: n.path, Kind: manifest.Hardlink, Target: first})
	}
	e := s.owners.entry(n)
	extended := s.attributes(n, &v, &known)
	e.Xattrs = extended.all
	switch {
	case v.Size == 0:
		e.SHA256 = sha256.Sum256(nil)
	case v.Size >= protocol.MaxObject:
		e.Problem = s.trouble(n.path, unix.EFBIG)
	case ok && !s.job.All:
		s.refer(n, e, v, known, before)
	default:
		n.bare = v.Bare
		if err := s.read(ctx, n, e, known, ok); err != nil {
			return err
		}
	}
	if e.Problem != "" && e.Object == ([16]byte{}) {
		e.Size = 0
	}
	s.leftOut(e, extended.left)
	if err := s.manifest.add(e); err != nil {
		return err
	}
	return s.packer.ledger.save(false)
}

// refer completes the entry of a file that is as it was when it was sent. On what device
// it was before says whether the state is to be told of another.
func (s *snapshot) refer(n *node, e *manifest.Entry, v, known version, before uint64) {
	e.Object, e.SHA256 = known.Object, known.SHA256
	if known.Seal == "" {
		e.Holes = s.holesOf(n)
	} else {
		e.Size, e.Plain = known.Seal.Size(v.Size), v.Size
	}
	if known.Bare != v.Bare || known.Device != before {
		v.Object, v.SHA256, v.Seal = known.Object, known.SHA256, known.Seal
		s.packer.ledger.add([]sentFile{{path: n.path, version: v}})
	}
	s.spoolKnown(n, known)
}

// unchanged reports whether a file is still the known version. A file system may have
// another device number after a restart, and a snapshot of it has one of its own: the
// known version takes it over where the file system stamps every change.
func (s *snapshot) unchanged(n *node, known, v *version) bool {
	if known.Device != v.Device {
		moved := *known
		if moved.Device = v.Device; !moved.sameFile(v) || !s.timed.covers(n) {
			return false
		}
		*known = moved
	}
	return known.sameFile(v)
}

// turned records a name that was a file when the walk looked.
func (s *snapshot) turned(n *node) error {
	if n.err == nil && n.kind() != unix.S_IFDIR {
		return s.special(n)
	}
	if n.err == nil {
		n.err = fs.ErrNotExist // what is below a directory would be missing
	}
	return s.lost(n)
}

// holesOf looks up the holes of a file that is not sent again: the manifest
// lists them all the same. Without them it would be restored right, but dense.
func (s *snapshot) holesOf(n *node) (holes [][2]int64) {
	if n.stat.Blocks*512 >= n.stat.Size {
		return nil
	}
	f, st, err := n.open()
	if err != nil {
		return nil
	}
	defer f.Close()
	if was, is := fileVersion(&n.stat), fileVersion(st); !was.sameFile(&is) {
		return nil
	}
	for off, most := int64(0), maxHoles(s.packer.t.full); off < st.Size && len(holes) < most; {
		start, end := nextData(f, off, st.Size)
		if start > off {
			holes = append(holes, [2]int64{off, start - off})
		}
		off = end
	}
	return holes
}

// read sends the content of a file and completes its entry. Where the same
// version was sent before, it goes out under the same object id, which fills
// what the receiver lacks of it; if the content turns out to be another all the
// same, it goes out once more as a new object.
func (s *snapshot) read(ctx context.Context, n *node, e *manifest.Entry, known version, again bool) error {
	if again {
		if good, err := s.readAs(ctx, n, e, &known); good || err != nil {
			return err
		}
	}
	_, err := s.readAs(ctx, n, e, nil)
	return err
}

// readAs sends the content of a file as the object that is known, or as a new
// one for nil. It returns false, and ends no object, where the content is not
// the known one.
func (s *snapshot) readAs(ctx context.Context, n *node, e *manifest.Entry, known *version) (bool, error) {
	f, before, err := n.open()
	if err != nil {
		e.Problem = s.trouble(n.path, err)
		return true, nil
	}
	defer f.Close()
	o := newObject(s.newID())
	if known != nil {
		o.id, o.again = known.Object, true
	}
	was, begun := fileVersion(before), fileClock()
	if was.Seal, err = s.sealFor(known); err != nil {
		return false, err
	}
	after, err := s.readAll(ctx, f, before, o, was.Seal)
	var bad *readError
	if errors.As(err, &bad) {
		e.Problem = s.trouble(n.path, bad.error)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	listed := fileVersion(&n.stat)
	changed := o.size != was.stored() || !was.sameFile(&after) || !was.sameFile(&listed)
	if known != nil && (changed || o.end().SHA256 != known.SHA256) {
		return false, nil
	}
	if changed {
		e.Problem = problemChanged
		s.complain(n.path, event.FileChanged, problemChanged)
	}
	was.Bare = n.bare
	settled := was.settled(begun)
	if was.Seal != "" && !changed {
		e.Plain = before.Size
	}
	if !changed && was.Seal == "" { // a seal makes the same content anew from the file
		s.spoolFile(o.id, f, &was)
	}
	if changed || !settled {
		return true, s.endFile(ctx, e, o, nil)
	}
	return true, s.endFile(ctx, e, o, &was)
}

// readAll sends what an open file holds and returns what version it is then.
func (s *snapshot) readAll(ctx context.Context, f *os.File, before *unix.Stat_t, o *object, seal sealing.Seal) (version, error) {
	var err error
	if seal != "" {
		err = s.sendSealed(ctx, f, before.Size, o, seal)
	} else {
		err = s.sendFile(ctx, f, before.Size, before.Blocks*512 < before.Size, o)
	}
	if err != nil {
		return version{}, err
	}
	var after unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &after); err != nil {
		return version{}, &readError{err}
	}
	return fileVersion(&after), nil
}

// endFile ends the object of a file and puts it into the entry. The version, if
// there is one, is remembered; a file that changed while it was read is sent,
// marked as what it is, and not remembered.
func (s *snapshot) endFile(ctx context.Context, e *manifest.Entry, o *object, v *version) error {
	if e.Size = o.size; o.size == 0 {
		e.SHA256 = sha256.Sum256(nil)
		return nil
	}
	end := o.end()
	e.Object, e.SHA256, e.Holes = end.Object, end.SHA256, pairs(end.Holes)
	s.result.SentFiles++
	if v == nil {
		return s.packer.end(ctx, end, nil)
	}
	v.Object, v.SHA256 = end.Object, end.SHA256
	sent := &sentFile{path: e.Path, version: *v}
	if o.again {
		sent.again = s.cfg.Clock.Now().UnixNano()
	}
	return s.packer.end(ctx, end, sent)
}

func pairs(holes []protocol.Range) [][2]int64 {
	var out [][2]int64
	for _, h := range holes {
		out = append(out, [2]int64{int64(h.Offset), int64(h.Length)})
	}
	return out
}

// open opens a regular file without following links or waiting for a FIFO that
// took its place.
func (n *node) open() (*os.File, *unix.Stat_t, error) {
	fd, err := unix.Openat(n.dir, n.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), n.name)
	st := &unix.Stat_t{}
	if err := unix.Fstat(fd, st); err != nil {
		f.Close()
		return nil, nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		f.Close()
		return nil, nil, fs.ErrNotExist // it was a file when it was listed
	}
	return f, st, nil
}

// stream sends content of unknown length as one file.
func (s *snapshot) stream(ctx context.Context) error {
	o := newObject(s.newID())
	plain, err := s.sealStream()
	if err != nil {
		return err
	}
	kept := s.spoolStream()
	_, err = s.sendRange(ctx, kept, math.MaxInt64, o)
	if ctx.Err() != nil { // it may have ended with the client that brought it
		err = ctx.Err()
	}
	if kerr := kept.end(o.id, err == nil && o.size > 0); kerr != nil {
		s.notSpooled(kerr)
	}
	e := &manifest.Entry{Path: s.job.As, Kind: manifest.File, Mode: 0o600, ModTime: s.result.Taken}
	var bad *readError
	if errors.As(err, &bad) {
		e.Problem = s.trouble(s.job.As, bad.error)
	} else if err != nil {
		return err
	}
	if o.size == 0 && e.Problem == "" {
		e.SHA256 = sha256.Sum256(nil)
		return s.manifest.add(e)
	}
	if plain != nil {
		e.Plain = min(plain.n, o.size)
	}
	if o.size > 0 {
		if err := s.endFile(ctx, e, o, nil); err != nil {
			return err
		}
	}
	return s.manifest.add(e)
}
