package sender

import (
	"context"
	"errors"
	"io/fs"
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
	links    hardLinks
	recall   *recall
	timed    timed
	squeezer *squeezer // nil if nothing is compressed
	plan     *plan
	walker   *walker
	result   Result
	started  time.Time
	wireAt   uint64
	ids      int // object ids made
	idPrefix byte

	unspooled    int64 // files that are not kept for later passes
	unspooledWhy error
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
	if err := s.cfg.State.begin(job.Source, n, taken, protocol.Hash{}); err != nil {
		return nil, err
	}
	snap := &snapshot{
		Sender: s, job: job, owners: newOwners(), links: hardLinks{}, timed: timed{}, started: now, recall: s.cfg.State.recall(job.Source), wireAt: s.t.wireBytes(),
		result: Result{Source: job.Source, Number: n, Taken: taken},
	}
	snap.packer = &packer{
		t: s.t, shape: s.t.full, codes: map[[2]int]*fec.Code{},
		context: protocol.Context{Source: job.Source, Number: n, Taken: taken.UnixNano()},
		ledger:  newLedger(s.cfg.State, job.Source, s.cfg.Clock),
	}
	if job.Compress && s.cfg.Sealed[job.Source] == nil { // what is sealed gets no smaller
		if snap.squeezer, err = newSqueezer(s.cfg.Geometry.DataBytes()); err != nil {
			return nil, err
		}
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
	s.plan.reading()
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
	if serr := s.packer.ledger.save(true); err == nil {
		err = serr
	}
	s.tellSpool()
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
	s.plan = s.newPlan(ctx, all)
	defer func() { s.plan.close(s.result.SentBytes) }()
	s.walker = &walker{exclude: s.job.Exclude, own: newOwn(s.cfg.Own), most: min(s.xattrsMost, aheadXattrs), visit: func(n *node) error { return s.node(ctx, n) }}
	return s.walker.walk(all)
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
		if _, _, err := s.recall.find(n.path); err != nil { // it may come back as it was
			return err
		}
		return s.lost(n)
	}
	if n.kind() == unix.S_IFREG {
		return s.file(ctx, n)
	}
	return s.special(n)
}

// special sends a name that is no file.
func (s *snapshot) special(n *node) error {
	switch n.kind() {
	case unix.S_IFLNK:
		return s.symlink(n)
	case unix.S_IFDIR:
		e := s.owners.entry(n)
		if n.err != nil {
			e.Problem = s.trouble(n.path, n.err)
		}
		return s.addExtended(e, n)
	}
	s.result.Skipped++
	s.cfg.Log.Warn().Str(event.Field, event.FileSkipped).Str("path", printable(n.path)).Msg("not a file, directory or link: skipped")
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
	if e.Target, err = n.target(); err != nil {
		return s.lost(&node{path: n.path, err: err})
	}
	return s.addExtended(e, n)
}

// addExtended lists an entry that has no content with its extended attributes.
func (s *snapshot) addExtended(e *manifest.Entry, n *node) error {
	a := n.xattrs(s.xattrsMost)
	e.Xattrs = a.all
	s.leftOut(e, a.left)
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
