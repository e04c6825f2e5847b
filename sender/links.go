package sender

import (
	"strings"

	"golang.org/x/sys/unix"
)

// hardLinks are the files with several names that a walk has met, by device and
// inode, until it has met all of their names.
type hardLinks map[[2]uint64]link

// link is a file with several names.
type link struct {
	first string // the name met first
	left  uint64 // names that were not met yet
	size  int64
	mtime unix.Timespec
}

// met returns the name under which the file of n was met before, if it was. One that
// is another file by now, with the number of one that was deleted meanwhile, or was
// written to, is not the one that was met. Spooled is how many names it has in the
// spool, which no walk meets.
func (h hardLinks) met(n *node, spooled uint64) (first string, again bool) {
	nlink := uint64(n.stat.Nlink) - spooled // 32 bits on arm64
	if nlink <= 1 {
		return "", false
	}
	key := [2]uint64{n.stat.Dev, n.stat.Ino}
	l, ok := h[key]
	if !ok || l.size != n.stat.Size || l.mtime != n.stat.Mtim {
		h[key] = link{first: strings.Clone(n.path), left: nlink - 1, size: n.stat.Size, mtime: n.stat.Mtim}
		return "", false
	}
	if l.left--; l.left == 0 {
		delete(h, key)
	} else {
		h[key] = l
	}
	return l.first, true
}
