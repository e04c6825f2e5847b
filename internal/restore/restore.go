// Package restore brings a restore point back: it reads a manifest and the
// content of its files and builds the tree in a folder.
//
// Manifest, content and what already lies in that folder may all come from an
// enemy. So every name is reached step by step from the folder's descriptor,
// one openat a component with O_NOFOLLOW: no symlink is ever followed, neither
// one that was there nor one that the restore made itself, and ".." cannot be
// written in a manifest. This is stricter than os.Root, which follows links
// that stay inside.
//
// A file is written under a random name beside its place, its SHA-256 checked,
// its attributes set, and only then it gets its own name. So a file under its
// own name is always whole. Directories get their attributes when everything
// below them is done. Modes come back exactly, setuid and setgid bits
// included: restoring as root gives a sender's setuid programs their power
// back. Where the owner cannot be restored these two bits are left out of a
// file's mode, as cp does.
package restore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// What can keep an entry from being restored. Run itself returns ErrNoMatch,
// ErrPattern and ErrChanged; the others stand in Result.Failed.
var (
	ErrExists    = errors.New("something stands there already; restore into an empty folder, or allow overwriting")
	ErrDamaged   = errors.New("the content is not what the manifest says")
	ErrNoContent = errors.New("the sender could not read it")
	ErrOrigin    = errors.New("the first name of this hard link was not restored")
	ErrNotDir    = errors.New("something that is no directory stands in the way")
	ErrSetID     = errors.New("the owner could not be restored, so the setuid and setgid bits were left out")
	ErrNoMatch   = errors.New("nothing in the restore point matches")
	ErrPattern   = errors.New("a path must be relative to the restore point, without \"..\"")
	ErrChanged   = errors.New("the manifest changed while it was read")
	ErrLimit     = errors.New("too much to hold in memory; restore in several parts, by path")
)

// MaxFailed bounds Result.Failed, in entries.
const MaxFailed = 10_000

// Options say what to restore and where.
type Options struct {
	Manifest io.ReadSeeker // read twice: once before anything is written
	Sum      [32]byte      // SHA-256 that the manifest must have, unless zeros
	Limits   manifest.Limits

	// Open returns the content of a file that is not empty; Run closes it.
	// See Tree for a published restore point.
	Open func(*manifest.Entry) (*os.File, error)

	Dest  string   // the folder; it is made if it is not there, its parents too
	Paths []string // paths, folders or globs (doublestar) to restore; none means all

	// Overwrite lets files replace what has their name, at once and as a
	// whole. A symlink or file where a directory belongs is replaced, a
	// directory where something else belongs only if it is empty. Without it
	// such an entry fails, and existing directories keep their attributes.
	Overwrite bool

	// Identities open content that is sealed with age. Encrypted restores such
	// content as it is stored, under its own name.
	Identities []age.Identity
	Encrypted  bool

	// Partial keeps content that is damaged or not whole, under the file's
	// name with PartialSuffix. The entry counts as failed all the same.
	Partial bool

	// Planned is called once, before the first file, with what was selected.
	// Files whose content only a selected hard link leads to are not in it.
	// It may be nil.
	Planned func(files, bytes int64)

	Progress func(bytes int64)            // called with the bytes done since the last call; may be nil
	Warn     func(path string, err error) // called for each failure and each attribute not restored; may be nil
}

// PartialSuffix ends the name of a file kept by Options.Partial.
const PartialSuffix = ".partial"

// Failure is one entry that was not restored.
type Failure struct {
	Path string
	Err  error
}

// Result says what was done.
type Result struct {
	Header     manifest.Header
	Files      int64 // files with their content, empty ones too
	Dirs       int64
	Symlinks   int64
	Hardlinks  int64
	Bytes      int64     // content of Files, holes included
	Problems   int64     // restored files and directories that the sender did not send as good
	Attributes int64     // entries with an owner, mode, time or xattr that could not be set
	Failures   int64     // entries not restored
	Failed     []Failure // the first MaxFailed of them
}

// Run restores what o says. An entry that cannot be restored is told to
// o.Warn and listed in the result, and the rest goes on. The error is for what
// stops everything: a bad manifest, a path that matches nothing (both before
// anything is written), no space, ctx.
func Run(ctx context.Context, o Options) (Result, error) {
	selected, err := newSelection(o.Paths)
	if err != nil {
		return Result{}, err
	}
	p, err := newPlan(ctx, o, selected)
	if err != nil {
		return Result{}, err
	}
	r := &run{o: o, ctx: ctx, plan: p, selected: selected, temp: newTemp()}
	r.result.Header = p.header
	root, err := openDest(o.Dest)
	if err != nil {
		return r.result, err
	}
	defer root.Close()
	r.tree.start(int(root.Fd()))
	if o.Planned != nil {
		o.Planned(p.files, p.bytes)
	}
	err = r.entries()
	r.leaveAll()
	if err != nil {
		return r.result, err
	}
	if err := unix.Syncfs(int(root.Fd())); err != nil {
		return r.result, fmt.Errorf("writing %s to stable storage: %w", o.Dest, err)
	}
	return r.result, nil
}

// openDest follows symlinks: the folder is the operator's word.
func openDest(dest string) (*os.File, error) {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder to restore to: %w", err)
	}
	f, err := os.OpenFile(dest, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the folder to restore to: %w", err)
	}
	return f, nil
}

// run is one restore under way.
type run struct {
	o        Options
	ctx      context.Context
	plan     *plan
	selected *selection
	tree     tree
	known    known
	temp     temp
	buffer   []byte
	result   Result
}

// entries restores entry after entry.
func (r *run) entries() error {
	m, err := rewind(r.o)
	if err != nil {
		return err
	}
	r.selected.restart()
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		e, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		r.known.pass(e)
		if err := r.entry(e); err != nil {
			return err
		}
	}
	if m.Sum() != r.plan.sum {
		return ErrChanged
	}
	return nil
}

// entry restores e if it is selected. Its error ends the run.
func (r *run) entry(e *manifest.Entry) error {
	if !r.selected.has(e.Path) {
		if o := r.plan.origins[e.Path]; o != nil && e.Kind == manifest.File {
			return r.plan.keep(o, e)
		}
		return nil
	}
	err := r.restore(e)
	if err == nil {
		return nil
	}
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	r.fail(e.Path, err)
	for _, stop := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EROFS} {
		if errors.Is(err, stop) {
			return fmt.Errorf("restoring stopped at %q: %w", e.Path, err)
		}
	}
	return nil
}

func (r *run) restore(e *manifest.Entry) error {
	if e.Kind == manifest.Dir {
		if err := r.enter(e.Path); err != nil {
			return err
		}
		r.result.Dirs++
		r.problem(e, e.Path)
		return nil
	}
	dir, name := split(e.Path)
	if err := r.enter(dir); err != nil {
		return err
	}
	if err := r.free(name); err != nil {
		return err
	}
	switch e.Kind {
	case manifest.File:
		return r.file(e, name)
	case manifest.Symlink:
		return r.symlink(e, name)
	default:
		return r.hardlink(e, name)
	}
}

func (r *run) fail(path string, err error) {
	r.result.Failures++
	if len(r.result.Failed) < MaxFailed {
		r.result.Failed = append(r.result.Failed, Failure{path, err})
	}
	r.warn(path, err)
}

// problem tells that a restored entry is not all that it was on the sender.
func (r *run) problem(e *manifest.Entry, path string) {
	if e.Problem != "" {
		r.result.Problems++
		r.warn(path, fmt.Errorf("the sender did not send it as good: %s", e.Problem))
	}
}

func (r *run) warn(path string, err error) {
	if r.o.Warn != nil {
		r.o.Warn(path, err)
	}
}

// unset reports attributes that could not be set.
func (r *run) unset(path string, err error) {
	if err != nil {
		r.result.Attributes++
		r.warn(path, err)
	}
}

// temp makes names that nobody can know before.
type temp struct {
	prefix string
	n      uint64
}

func newTemp() temp {
	var b [8]byte
	rand.Read(b[:])
	return temp{prefix: ".weir-restore-" + hex.EncodeToString(b[:])}
}

func (t *temp) next() string {
	t.n++
	return fmt.Sprintf("%s-%d", t.prefix, t.n)
}

// missing says whether err means that a name is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
