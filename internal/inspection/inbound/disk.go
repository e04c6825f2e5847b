package inbound

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSystem is what is known of a kind of file system. The kinds are those of
// /proc/self/mountinfo.
type fileSystem struct {
	bad  bool
	with string // what is wrong with it, or ""
}

const (
	network  = "a network file system: when it says that data is stored, that depends on another machine"
	noLinks  = "it has no hard links, from which restore points are made"
	volatile = "it is memory: nothing survives a power cut"
	layered  = "a layer over others: what it syncs is not certain"
)

var fileSystems = map[string]fileSystem{
	"ext4": {}, "xfs": {}, "btrfs": {}, "zfs": {}, "ext3": {}, "f2fs": {}, "bcachefs": {},
	"tmpfs": {true, volatile}, "ramfs": {true, volatile},
	"vfat": {true, noLinks}, "exfat": {true, noLinks}, "msdos": {true, noLinks}, "fuseblk": {true, noLinks},
	"nfs": {false, network}, "nfs4": {false, network}, "cifs": {true, network}, "smb3": {true, network}, "9p": {true, network}, "ceph": {false, network},
	"overlay": {false, layered}, "fuse": {false, layered},
}

// disk looks at the room and the kind of the vault's file system.
func (h *host) disk() {
	var st unix.Statfs_t
	err := unix.Statfs(h.cfg.Vault, &st)
	if err != nil {
		command := ""
		if errors.Is(err, fs.ErrNotExist) {
			command = "mkdir -m 700 " + h.cfg.Vault
		}
		h.Bad("vault", command, "%s: %v", h.cfg.Vault, err)
		return
	}
	h.room(&st)
	m, ok := h.mount()
	switch kind, known := fileSystems[m.kind]; {
	case !ok:
		h.Warn("file system", "", "it cannot be found out what %s lies on", h.cfg.Vault)
	case m.readOnly:
		h.Bad("file system", "mount -o remount,rw "+m.at, "%s is mounted read-only", m.at)
	case m.noBarrier:
		h.Bad("file system", "mount -o remount,barrier "+m.at, "%s is mounted without barriers: what is synced can be lost in a power cut", m.at)
	case !known:
		h.Warn("file system", "", "%s, of which nothing is known; ext4, xfs and btrfs are proven", m.kind)
	case kind.bad:
		h.Bad("file system", "", "%s: %s", m.kind, kind.with)
	case kind.with != "":
		h.Warn("file system", "", "%s: %s", m.kind, kind.with)
	default:
		h.OK("file system", "%s at %s", m.kind, m.at)
	}
}

func (h *host) room(st *unix.Statfs_t) {
	free := int64(st.Bavail) * st.Bsize
	keep := h.cfg.MinFree(int64(st.Blocks) * st.Bsize)
	const gib = 1 << 30
	switch {
	case free <= keep:
		h.Bad("room", "weir-vault list", "%.1f GiB are free and min_free keeps %.1f: new data is not stored; make room, or lower min_free", float64(free)/gib, float64(keep)/gib)
	case free < 2*keep || st.Files > 0 && st.Ffree < st.Files/100:
		h.Warn("room", "weir-vault list", "%.1f GiB and %d inodes are free, min_free keeps %.1f GiB", float64(free)/gib, st.Ffree, float64(keep)/gib)
	default:
		h.OK("room", "%.1f GiB are free, of which min_free keeps %.1f", float64(free)/gib, float64(keep)/gib)
	}
}

// mount is a line of /proc/self/mountinfo.
type mount struct {
	at, kind            string
	readOnly, noBarrier bool
}

// mount finds the vault's: of those of its device the deepest that it lies below.
func (h *host) mount() (m mount, ok bool) {
	var st unix.Stat_t
	if unix.Stat(h.cfg.Vault, &st) != nil {
		return m, false
	}
	dir, err := filepath.EvalSymlinks(h.cfg.Vault)
	if err != nil {
		return m, false
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	for _, row := range h.Table("self/mountinfo", false) {
		if n, found := parseMount(row, device); found && below(dir, n.at) && len(n.at) >= len(m.at) {
			m, ok = n, true
		}
	}
	return m, ok
}

func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func parseMount(row []string, device string) (m mount, ok bool) {
	for i, field := range row {
		if field != "-" || i < 6 || len(row) < i+4 || row[2] != device {
			continue
		}
		options := strings.Split(row[5]+","+row[i+3], ",")
		m = mount{at: row[4], kind: strings.SplitN(row[i+1], ".", 2)[0]}
		for _, o := range options {
			m.readOnly = m.readOnly || o == "ro"
			m.noBarrier = m.noBarrier || o == "nobarrier" || o == "barrier=0"
		}
		return m, true
	}
	return m, false
}
