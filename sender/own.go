package sender

import "golang.org/x/sys/unix"

// own are the files and directories of the sender itself, by device and inode: its
// secret key, its state, what it keeps to send again. They are left out of what it
// sends, wherever a walk meets them below a root. The key is for nobody else, the
// state would be another one in each snapshot, and a spool would send itself, over
// and over.
type own map[[2]uint64]bool

func newOwn(paths []string) own {
	o := own{}
	for _, p := range paths {
		var st unix.Stat_t
		if unix.Stat(p, &st) == nil { // what is not there needs not be left out
			o[[2]uint64{st.Dev, st.Ino}] = true
		}
	}
	return o
}

func (o own) has(n *node) bool { return n.err == nil && o[[2]uint64{n.stat.Dev, n.stat.Ino}] }
