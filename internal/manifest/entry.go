package manifest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"weir/internal/names"
)

// Header is the first line of a manifest.
type Header struct {
	Sender   string
	Source   string
	Number   uint64 // counts the snapshots of the source
	Taken    time.Time
	Previous [32]byte // SHA-256 of the source's previous manifest file, or zeros
	Roots    []string // what was saved, as named on the sender; for people: bytes that are not UTF-8 become U+FFFD
	Tool     string   // name and version of the writing program
}

// Kind says what an entry is.
type Kind string

// The kinds of entries.
const (
	File     Kind = "file"
	Dir      Kind = "dir"
	Symlink  Kind = "symlink"
	Hardlink Kind = "hardlink" // a further name of a file that stands earlier in the manifest
)

// Entry is one name in the tree. A hard link has only Path and Target: the
// rest stands with the first name of the file.
type Entry struct {
	Path    string // raw bytes, relative, separated by '/'
	Kind    Kind
	Size    int64    // of a file, in bytes
	SHA256  [32]byte // of a file's content
	Object  [16]byte // zeros for an empty file and for a file that could not be read
	Plain   int64    // of a file that is sealed with age: the bytes of what is in it; Size and SHA256 are of the age file
	Mode    uint32   // permission bits with setuid, setgid and sticky: 07777
	UID     uint32
	GID     uint32
	User    string // name of UID on the sender, or ""
	Group   string // name of GID on the sender, or ""
	ModTime time.Time
	Target  string            // of a symlink, or the first path of a hard link
	Xattrs  map[string][]byte // nil if there are none
	Holes   [][2]int64        // offset and length of each hole of a file, ascending, not touching
	Problem string            // of a file or directory: why it is not sent as good, e.g. "changed while read"
}

// Trailer is the last line of a manifest.
type Trailer struct {
	Entries  int64
	Files    int64 // files and hard links, as `find -type f` counts
	Bytes    int64 // sum of Size
	Problems int64 // entries with a Problem
}

// count adds e to the totals.
func (t *Trailer) count(e *Entry) error {
	t.Entries++
	if e.Kind == File || e.Kind == Hardlink {
		t.Files++
	}
	if t.Bytes > MaxSize-e.Size {
		return fmt.Errorf("%w: the files have more than %d bytes together", ErrLimit, int64(MaxSize))
	}
	t.Bytes += e.Size
	if e.Problem != "" {
		t.Problems++
	}
	return nil
}

// empty is the SHA-256 of nothing.
var empty = sha256.Sum256(nil)

func (h *Header) check() error {
	if err := names.Check(h.Sender); err != nil {
		return fmt.Errorf("%w: sender: %w", ErrManifest, err)
	}
	if err := names.Check(h.Source); err != nil {
		return fmt.Errorf("%w: source: %w", ErrManifest, err)
	}
	total := 0
	valid := utf8.ValidString(h.Tool)
	for _, r := range h.Roots {
		total += len(r)
		valid = valid && utf8.ValidString(r)
	}
	switch {
	case !valid:
		return fmt.Errorf("%w: a root or the tool is not UTF-8", ErrManifest)
	case len(h.Roots) > MaxRoots || total > MaxRoot:
		return fmt.Errorf("%w: %d roots of %d bytes in all", ErrLimit, len(h.Roots), total)
	case len(h.Tool) > MaxTool:
		return fmt.Errorf("%w: tool has %d bytes", ErrLimit, len(h.Tool))
	}
	return nil
}

// check holds e against the rules that need no other entry.
func (e *Entry) check() error {
	if err := CheckPath(e.Path); err != nil {
		return err
	}
	if e.Mode > 0o7777 {
		return e.bad("mode %o", e.Mode)
	}
	if !plain(e.User, MaxOwner) || !plain(e.Group, MaxOwner) || !plain(e.Problem, MaxProblem) {
		return e.bad("user, group or problem is too long or not UTF-8")
	}
	if err := e.checkXattrs(); err != nil {
		return err
	}
	switch e.Kind {
	case File:
		return e.checkFile()
	case Dir:
		return e.checkNoFile()
	case Symlink:
		return e.checkSymlink()
	case Hardlink:
		return e.checkHardlink()
	}
	return e.bad("unknown kind %.20q", e.Kind)
}

func plain(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s)
}

func (e *Entry) bad(format string, args ...any) error {
	return fmt.Errorf("%w: %.100q: %s", ErrManifest, e.Path, fmt.Sprintf(format, args...))
}

func (e *Entry) checkFile() error {
	none := e.Object == [16]byte{}
	switch {
	case e.Size < 0 || e.Size > MaxSize:
		return e.bad("size %d", e.Size)
	case e.Target != "":
		return e.bad("a file with a target")
	case !none && (e.Size == 0 || e.SHA256 == [32]byte{}):
		return e.bad("an object without size or SHA-256")
	case e.Plain < 0 || e.Plain > e.Size || none && e.Plain != 0:
		return e.bad("sealed content of %d bytes", e.Plain)
	case e.Plain > 0 && len(e.Holes) > 0:
		return e.bad("sealed content with holes")
	case none && e.Problem == "" && (e.Size != 0 || e.SHA256 != empty):
		return e.bad("no object, and the file is not empty")
	case none && e.SHA256 != [32]byte{} && e.SHA256 != empty:
		return e.bad("a SHA-256 without an object")
	}
	return e.checkHoles()
}

func (e *Entry) checkHoles() error {
	if len(e.Holes) > MaxHoles {
		return fmt.Errorf("%w: %.100q has %d holes", ErrLimit, e.Path, len(e.Holes))
	}
	end := int64(-1) // of the hole before; the first may begin at 0
	for _, h := range e.Holes {
		if h[0] <= end || h[1] <= 0 || h[0] > e.Size || h[1] > e.Size-h[0] {
			return e.bad("hole at %d of %d bytes", h[0], h[1])
		}
		end = h[0] + h[1]
	}
	return nil
}

// checkNoFile refuses in other kinds what only files and links have.
func (e *Entry) checkNoFile() error {
	if e.Size != 0 || e.Plain != 0 || e.SHA256 != [32]byte{} || e.Object != [16]byte{} || len(e.Holes) != 0 {
		return e.bad("a %s with content", e.Kind)
	}
	if e.Kind == Dir && e.Target != "" {
		return e.bad("a directory with a target")
	}
	if e.Kind != Dir && e.Problem != "" {
		return e.bad("a %s with a problem", e.Kind)
	}
	return nil
}

func (e *Entry) checkSymlink() error {
	if e.Target == "" || len(e.Target) > MaxTarget || strings.IndexByte(e.Target, 0) >= 0 {
		return e.bad("a symlink's target of %d bytes or with NUL", len(e.Target))
	}
	return e.checkNoFile()
}

// checkHardlink cannot know whether the target is a file in the manifest: that
// would need all paths in memory. Whoever makes the link checks it.
func (e *Entry) checkHardlink() error {
	if err := CheckPath(e.Target); err != nil {
		return e.bad("target: %v", err)
	}
	if ComparePath(e.Target, e.Path) >= 0 || below(e.Path, e.Target) {
		return e.bad("a hard link to %.100q, which does not stand before it", e.Target)
	}
	return e.checkNoFile()
}

func (e *Entry) checkXattrs() error {
	named, total := 0, 0
	for name, value := range e.Xattrs {
		if name == "" || len(name) > MaxXattrName || len(value) > MaxXattr || strings.IndexByte(name, 0) >= 0 {
			return e.bad("xattr %.100q of %d bytes", name, len(value))
		}
		named += len(name)
		total += len(value)
	}
	if named > MaxXattrNames || total > MaxXattrs {
		return fmt.Errorf("%w: %.100q has xattrs of %d bytes under names of %d", ErrLimit, e.Path, total, named)
	}
	return nil
}
