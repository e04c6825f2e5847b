package sender

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/fec"
	"weir/internal/manifest"
	"weir/protocol"
)

// Problems as they stand in manifests.
const (
	problemChanged  = "changed while read"
	problemVanished = "vanished"
	problemRead     = "unreadable: "
)

// snapshot is one Push under way.
type snapshot struct {
	*Sender
	job      Job
	packer   *packer
	owners   *owners
	manifest *manifestFile
	links    map[[2]uint64]string // first path of files with several names
	result   Result
	started  time.Time
	wireAt   uint64
}

func (s *Sender) newSnapshot(job Job) (*snapshot, error) {
	previous, err := s.cfg.State.latest(job.Source)
	if err != nil {
		return nil, err
	}
	n, err := s.cfg.State.nextNumber(job.Source)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Clock.Now()
	taken := now.UTC().Truncate(time.Second)
	snap := &snapshot{
		Sender: s, job: job, owners: newOwners(), links: map[[2]uint64]string{}, started: now, wireAt: s.t.wireBytes(),
		result: Result{Source: job.Source, Number: n, Taken: taken},
	}
	snap.packer = &packer{
		t: s.t, codes: map[[2]int]*fec.Code{},
		context: protocol.Context{Source: job.Source, Number: n, Taken: taken.UnixNano()},
		ledger:  &ledger{state: s.cfg.State, source: job.Source, saved: now},
	}
	roots := job.Paths
	if job.Stream != nil {
		roots = []string{"-"}
	}
	snap.manifest, err = newManifestFile(s.cfg.Scratch, manifest.Header{
		Sender: s.cfg.Name, Source: job.Source, Number: n, Taken: taken,
		Previous: previous.Manifest, Roots: roots, Tool: s.cfg.Tool,
	})
	if err != nil {
		return nil, err
	}
	return snap, nil
}

func (s *snapshot) close() {
	s.packer.release()
	s.manifest.close()
}

func (s *snapshot) progress(n int64) {
	s.result.SentBytes += n
	if s.job.Progress != nil {
		s.job.Progress(n)
	}
}

// send sends the content, then the manifest, then the tail once more.
func (s *snapshot) send(ctx context.Context) error {
	s.cfg.Log.Info().Str(event.Field, event.SnapshotStarted).Str("source", s.job.Source).
		Str("snapshot", s.result.Name()).Msg("sending a snapshot")
	err := s.content(ctx)
	if err == nil {
		err = s.closing(ctx)
	}
	// What has left is remembered also when the rest did not.
	if serr := s.packer.ledger.save(s.cfg.Clock.Now(), true); err == nil {
		err = serr
	}
	s.result.WireBytes = int64(s.t.wireBytes() - s.wireAt)
	s.result.Duration = s.cfg.Clock.Now().Sub(s.started)
	return err
}

func (s *snapshot) content(ctx context.Context) error {
	if s.job.Stream != nil {
		return s.stream(ctx)
	}
	all, err := roots(s.job.Paths)
	if err != nil {
		return err
	}
	if s.job.Planned != nil {
		if err := s.plan(ctx, all); err != nil {
			return err
		}
	}
	w := walker{exclude: s.job.Exclude, visit: func(n *node) error { return s.node(ctx, n) }}
	return w.walk(all)
}

// plan adds up what there is to read, for those who watch.
func (s *snapshot) plan(ctx context.Context, all []root) error {
	var total int64
	w := walker{exclude: s.job.Exclude, visit: func(n *node) error {
		if n.err == nil && n.kind() == unix.S_IFREG && (n.stat.Nlink == 1 || !s.linked(n)) {
			v := fileVersion(&n.stat)
			if known, ok := s.known(n.path, &v); s.job.All || !ok || known.Object == (protocol.ObjectID{}) {
				total += min(n.stat.Size, n.stat.Blocks*512)
			}
		}
		return ctx.Err()
	}}
	if err := w.walk(all); err != nil {
		return err
	}
	clear(s.links)
	s.job.Planned(total)
	return nil
}

// linked reports whether the file of n was met under another name, and
// remembers it.
func (s *snapshot) linked(n *node) bool {
	key := [2]uint64{n.stat.Dev, n.stat.Ino}
	if _, ok := s.links[key]; ok {
		return true
	}
	s.links[key] = n.path
	return false
}

func (s *snapshot) known(path string, v *version) (version, bool) {
	known, ok := s.cfg.State.known(s.job.Source, path)
	return known, ok && known.sameFile(v)
}

// node sends one name of the tree. Trouble with it is reported and the walk goes
// on; only trouble with the link, the state or the manifest ends it.
func (s *snapshot) node(ctx context.Context, n *node) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := manifest.CheckPath(n.path); err != nil {
		s.complain(n.path, event.FileUnreadable, err.Error())
		return nil
	}
	if n.err != nil && n.stat.Mode == 0 {
		return s.lost(n)
	}
	switch n.kind() {
	case unix.S_IFREG:
		return s.file(ctx, n)
	case unix.S_IFLNK:
		return s.symlink(n)
	case unix.S_IFDIR:
		e := s.owners.entry(n)
		e.Xattrs = n.xattrs()
		if n.err != nil {
			e.Problem = s.trouble(n.path, n.err)
		}
		return s.manifest.add(e)
	}
	s.result.Skipped++
	s.cfg.Log.Info().Str(event.Field, event.FileSkipped).Str("path", printable(n.path)).Msg("not a file, directory or link: skipped")
	return nil
}

// lost records a name of which not even a stat could be had.
func (s *snapshot) lost(n *node) error {
	return s.manifest.add(&manifest.Entry{
		Path: n.path, Kind: manifest.File, ModTime: s.result.Taken, Problem: s.trouble(n.path, n.err),
	})
}

func (s *snapshot) symlink(n *node) error {
	e := s.owners.entry(n)
	var err error
	if e.Target, err = n.target(); err != nil || e.Target == "" {
		return s.lost(&node{path: n.path, err: err})
	}
	e.Xattrs = n.xattrs()
	return s.manifest.add(e)
}

// trouble counts and logs why a file is not sent as it should be, and returns
// the words for the manifest.
func (s *snapshot) trouble(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		s.complain(path, event.FileVanished, problemVanished)
		return problemVanished
	}
	var errno unix.Errno
	words := err.Error()
	if errors.As(err, &errno) {
		words = errno.Error()
	}
	s.complain(path, event.FileUnreadable, problemRead+words)
	return problemRead + words
}

func (s *snapshot) complain(path, name, words string) {
	s.result.Problems++
	s.cfg.Log.Warn().Str(event.Field, name).Str("source", s.job.Source).Str("path", printable(path)).Msg(words)
}

func printable(path string) string { return strings.ToValidUTF8(path, "\uFFFD") }

// file sends a regular file, or refers to what was sent of it before.
func (s *snapshot) file(ctx context.Context, n *node) error {
	if n.stat.Nlink > 1 && s.linked(n) {
		first := s.links[[2]uint64{n.stat.Dev, n.stat.Ino}]
		return s.manifest.add(&manifest.Entry{Path: n.path, Kind: manifest.Hardlink, Target: first})
	}
	e := s.owners.entry(n)
	e.Xattrs = n.xattrs()
	v := fileVersion(&n.stat)
	known, ok := s.known(n.path, &v)
	switch {
	case v.Size == 0:
		e.SHA256 = sha256.Sum256(nil)
	case ok && !s.job.All:
		e.Object, e.SHA256 = known.Object, known.SHA256
	default:
		if err := s.read(ctx, n, e, known, ok); err != nil {
			return err
		}
	}
	if e.Problem != "" && e.Object == ([16]byte{}) {
		e.Size = 0
	}
	if err := s.manifest.add(e); err != nil {
		return err
	}
	return s.packer.ledger.save(s.cfg.Clock.Now(), false)
}

// read sends the content of a file and completes its entry. Where the same
// version was sent before, it goes out under the same object id, which fills
// what the receiver lacks of it; if the content turns out to be another all the
// same, it goes out once more as a new object.
func (s *snapshot) read(ctx context.Context, n *node, e *manifest.Entry, known version, again bool) error {
	id := newObjectID()
	if again {
		id = known.Object
	}
	o, err := s.readOnce(ctx, n, e, id, func(o *object) bool {
		return !again || o.end().SHA256 == known.SHA256
	})
	if err == nil && again && o != nil && o.id == id && e.Object == ([16]byte{}) && e.Problem == "" {
		_, err = s.readOnce(ctx, n, e, newObjectID(), func(*object) bool { return true })
	}
	return err
}

// readOnce sends the content of a file as the object id. If good accepts what
// was read, the object is ended and stands in the entry.
func (s *snapshot) readOnce(ctx context.Context, n *node, e *manifest.Entry, id protocol.ObjectID, good func(*object) bool) (*object, error) {
	f, before, err := n.open()
	if err != nil {
		e.Problem = s.trouble(n.path, err)
		return nil, nil
	}
	defer f.Close()
	o := newObject(id)
	err = s.sendFile(ctx, f, before.Size, before.Blocks*512 < before.Size, o)
	var bad *readError
	if errors.As(err, &bad) {
		e.Problem = s.trouble(n.path, bad.error)
		return o, nil
	}
	if err != nil {
		return nil, err
	}
	var after unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &after); err != nil {
		e.Problem = s.trouble(n.path, err)
		return o, nil
	}
	was, is, listed := fileVersion(before), fileVersion(&after), fileVersion(&n.stat)
	if o.size != before.Size || !was.sameFile(&is) || !was.sameFile(&listed) {
		e.Problem = problemChanged
		s.complain(n.path, event.FileChanged, problemChanged)
	}
	if e.Problem == "" && !good(o) {
		return o, nil
	}
	return o, s.endFile(ctx, n.path, was, e, o)
}

// endFile ends the object of a file and puts it into the entry. A file that
// changed while it was read is sent, marked as what it is, and not remembered.
func (s *snapshot) endFile(ctx context.Context, path string, v version, e *manifest.Entry, o *object) error {
	if e.Size = o.size; o.size == 0 {
		e.SHA256 = sha256.Sum256(nil)
		return nil
	}
	end := o.end()
	e.Object, e.SHA256, e.Holes = end.Object, end.SHA256, pairs(end.Holes)
	s.result.SentFiles++
	if e.Problem != "" {
		return s.packer.end(ctx, end, nil)
	}
	v.Object, v.SHA256 = end.Object, end.SHA256
	return s.packer.end(ctx, end, &sentFile{path: path, version: v})
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
	o := newObject(newObjectID())
	_, err := s.sendRange(ctx, s.job.Stream, math.MaxInt64, o)
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
	if o.size > 0 {
		if err := s.endFile(ctx, s.job.As, version{}, e, o); err != nil {
			return err
		}
	}
	return s.manifest.add(e)
}
