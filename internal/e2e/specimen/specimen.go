// Package specimen makes trees that hold what backups trip over, the same each
// time, and compares such a tree with what became of it.
package specimen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Size says how much there is beside the awkward names. Lengths are in bytes.
type Size struct {
	Seed         byte
	Large        int // one file of this length
	Mediums      int // files of MediumLength
	MediumLength int
	Smalls       int // files of 0, 1, 2, ... bytes
}

// holeLength is the length of the sparse file, nearly all of it a hole.
const holeLength = 64 << 20

// maker makes files below dir.
type maker struct {
	dir string
	rng *rand.ChaCha8
	err error
}

// Make makes the tree below dir, which it creates. What the file system or the
// user's rights do not allow (owners, extended attributes) is left out.
func Make(dir string, s Size) error {
	m := &maker{dir: dir, rng: rand.NewChaCha8([32]byte{s.Seed})}
	m.file("large.bin", s.Large)
	for i := range s.Mediums {
		m.file(fmt.Sprintf("medium/%02d.bin", i), s.MediumLength)
	}
	for i := range s.Smalls {
		m.file(fmt.Sprintf("small/%d/%d.txt", i%50, i), i)
	}
	m.names()
	m.kinds()
	m.attributes()
	return m.err
}

func (m *maker) path(name string) string { return filepath.Join(m.dir, name) }

func (m *maker) do(err error) { m.err = errors.Join(m.err, err) }

func (m *maker) file(name string, length int) {
	m.do(os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	content := make([]byte, length)
	_, _ = m.rng.Read(content) // never fails
	m.do(os.WriteFile(m.path(name), content, 0o644))
}

// names makes files whose names break what splits, quotes, decodes or sorts
// carelessly.
func (m *maker) names() {
	for _, name := range []string{
		" ", "with space ", "new\nline", "\n", "tab\tand\rreturn", "not \xff\xfe UTF-8", "\xc3", "cut \xe2\x82", `back\slash`, `\n`, "-rf", "--", "~",
		"*", "?", "[a]", "$HOME", "`id`", "%s%n", "'single'", `"double"`, "&amp;<b>", "ünïcödé", "u\u0308nicomposed", "日本語", "🏞", "\u202egnp.exe", "\x01\x1b[31m",
		".hidden", "...", "a.b", "a-b", "a/b", "A", "CON", "SHA256SUMS", "manifest.jsonl", ".weir/objects",
		strings.Repeat("n", 255), strings.Repeat("é", 127),
		strings.Repeat(strings.Repeat("d", 199)+"/", 12) + "down", strings.Repeat("deep/", 100) + "down",
	} {
		m.file("names/"+name, 10+len(name))
	}
}

// kinds makes what is not a plain file with content.
func (m *maker) kinds() {
	m.file("empty file", 0)
	m.do(os.MkdirAll(m.path("empty directory/empty too"), 0o755))
	for name, target := range map[string]string{
		"link": "large.bin", "link up": "../../somewhere", "link dangling": "/nowhere/at all", "link to itself": "link to itself",
		"link to directory": "small", "link \xff": "not \xff UTF-8\n",
	} {
		m.do(os.Symlink(target, m.path(name)))
	}
	m.file("first name", 5000)
	m.do(os.Link(m.path("first name"), m.path("second name")))
	m.do(os.Link(m.path("first name"), m.path("empty directory/third name")))
	m.do(os.Link(m.path("empty file"), m.path("empty twin")))
	m.sparse("sparse", []byte("in the midst"), holeLength/2, holeLength)
	m.sparse("all hole", nil, 0, 3<<20)
}

// sparse makes a file of some length that has content at one place only.
func (m *maker) sparse(name string, content []byte, at, length int64) {
	f, err := os.Create(m.path(name))
	if err != nil {
		m.do(err)
		return
	}
	_, werr := f.WriteAt(content, at)
	m.do(errors.Join(werr, f.Truncate(length), f.Close()))
}

// attributes sets modes, times and, where they can be set, owners and extended
// attributes. Directories come last and their times at the very end.
func (m *maker) attributes() {
	for name, mode := range map[string]os.FileMode{
		"executable": 0o755, "private": 0o600, "read only": 0o444, "setuid": 0o755 | os.ModeSetuid, "setgid": 0o750 | os.ModeSetgid,
	} {
		m.file(name, 20)
		m.do(os.Chmod(m.path(name), mode))
	}
	if os.Getuid() == 0 {
		m.file("somebody's", 30)
		m.do(os.Lchown(m.path("somebody's"), 12345, 54321))
		m.do(os.Lchown(m.path("link"), 12345, 54321))
	}
	m.file("attributed", 40)
	// Not every file system has them.
	_ = unix.Setxattr(m.path("attributed"), "user.weir", []byte("\x00binary\xff"), 0)
	m.time("executable", time.Date(1999, 12, 31, 23, 59, 59, 123456789, time.UTC))
	m.time("private", time.Date(1969, 7, 20, 20, 17, 40, 1, time.UTC))
	m.time("read only", time.Date(2037, 1, 19, 3, 14, 7, 999999999, time.UTC))
	m.time("link", time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC))
	m.do(os.Chmod(m.path("empty directory"), 0o700))
	m.do(os.Chmod(m.path("empty directory/empty too"), 0o777|os.ModeSticky))
	m.time("empty directory", time.Date(2010, 10, 10, 10, 10, 10, 10, time.UTC))
}

// time sets the time of a name, of a symbolic link itself.
func (m *maker) time(name string, to time.Time) {
	ts := unix.NsecToTimespec(to.UnixNano())
	m.do(unix.UtimesNanoAt(unix.AT_FDCWD, m.path(name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
}
