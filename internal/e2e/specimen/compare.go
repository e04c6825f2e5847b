package specimen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkg/xattr"
)

// maxDifferences bounds what Compare reports.
const maxDifferences = 10

// blockSlack is how many more blocks of 512 bytes a copy may take before its
// holes count as filled: file systems differ in how they keep small pieces.
const blockSlack = 8192

// sentModes are the types of which copies are made; FIFOs, sockets and devices
// are not.
const sentModes = fs.ModeDir | fs.ModeSymlink

// Compare compares the tree at got with the original at want: names, types,
// content, modes, times to the nanosecond, targets, hard links, holes, extended
// attributes, and owners if the user may set them. The two roots themselves are
// not looked at. It returns how many entries there are.
func Compare(want, got string) (entries int, err error) {
	a, err := read(want)
	if err != nil {
		return 0, err
	}
	b, err := read(got)
	if err != nil {
		return 0, err
	}
	var all []error
	for path := range b {
		if a[path] == nil {
			all = append(all, fmt.Errorf("%q is not in the original", path))
		}
	}
	for path, info := range a {
		if len(all) >= maxDifferences {
			break
		}
		if b[path] == nil {
			all = append(all, fmt.Errorf("%q is missing", path))
		} else if err := one(filepath.Join(want, path), filepath.Join(got, path), info, b[path]); err != nil {
			all = append(all, fmt.Errorf("%q: %w", path, err))
		}
	}
	return len(a), errors.Join(append(all, links(a, b))...)
}

// read returns what is below a directory.
func read(dir string) (map[string]fs.FileInfo, error) {
	all := map[string]fs.FileInfo{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if t := info.Mode().Type(); err == nil && t&^sentModes == 0 {
			all[rel] = info
		}
		return err
	})
	return all, err
}

func one(a, b string, ia, ib fs.FileInfo) error {
	sa, sb := ia.Sys().(*syscall.Stat_t), ib.Sys().(*syscall.Stat_t)
	if ia.Mode()&ib.Mode()&fs.ModeSymlink != 0 {
		if err := targets(a, b); err != nil {
			return err
		}
	}
	switch {
	case ia.Mode() != ib.Mode():
		return fmt.Errorf("mode %v became %v", ia.Mode(), ib.Mode())
	case !ia.ModTime().Equal(ib.ModTime()):
		return fmt.Errorf("time %v became %v", ia.ModTime(), ib.ModTime())
	case os.Getuid() == 0 && (sa.Uid != sb.Uid || sa.Gid != sb.Gid):
		return fmt.Errorf("owner %d:%d became %d:%d", sa.Uid, sa.Gid, sb.Uid, sb.Gid)
	case !ia.IsDir() && ia.Size() != ib.Size():
		return fmt.Errorf("%d bytes became %d", ia.Size(), ib.Size())
	case sb.Blocks > sa.Blocks+blockSlack:
		return fmt.Errorf("%d blocks on disk became %d: holes were filled", sa.Blocks, sb.Blocks)
	}
	if err := attributes(a, b); err != nil || !ia.Mode().IsRegular() {
		return err
	}
	return content(a, b)
}

func targets(a, b string) error {
	ta, err := os.Readlink(a)
	if err != nil {
		return err
	}
	tb, err := os.Readlink(b)
	if err == nil && ta != tb {
		err = fmt.Errorf("link to %q became %q", ta, tb)
	}
	return err
}

func attributes(a, b string) error {
	xa, err := attributesOf(a)
	if err != nil {
		return err
	}
	xb, err := attributesOf(b)
	if err == nil && !maps.EqualFunc(xa, xb, bytes.Equal) {
		err = fmt.Errorf("extended attributes %q became %q", xa, xb)
	}
	return err
}

func attributesOf(path string) (map[string][]byte, error) {
	names, err := xattr.LList(path)
	if err != nil || len(names) == 0 {
		return nil, ignoreUnsupported(err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if !isCopied(name) {
			continue
		}
		if all[name], err = xattr.LGet(path, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// isCopied reports whether an attribute goes with the file: those of security
// modules belong to the machine, and others than user.* only root may set.
func isCopied(name string) bool {
	switch name {
	case "security.selinux", "security.ima", "security.evm":
		return false
	}
	return os.Getuid() == 0 || strings.HasPrefix(name, "user.")
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

func content(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	pa, pb := make([]byte, 256<<10), make([]byte, 256<<10)
	for off := int64(0); ; {
		na, ea := io.ReadFull(fa, pa)
		nb, eb := io.ReadFull(fb, pb)
		if !bytes.Equal(pa[:na], pb[:nb]) {
			return fmt.Errorf("the content differs near byte %d", off)
		}
		off += int64(na)
		switch {
		case isEnd(ea) && isEnd(eb):
			return nil
		case ea != nil || eb != nil:
			return errors.Join(ea, eb)
		}
	}
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// links compares which names are one file.
func links(a, b map[string]fs.FileInfo) error {
	fileOf := map[uint64]uint64{} // inode in a to inode in b
	for path, info := range a {
		if b[path] == nil || !info.Mode().IsRegular() {
			continue
		}
		sa, sb := info.Sys().(*syscall.Stat_t), b[path].Sys().(*syscall.Stat_t)
		if sa.Nlink == 1 {
			continue
		}
		if ino, ok := fileOf[sa.Ino]; ok && ino != sb.Ino {
			return fmt.Errorf("%q is no longer a hard link to its other names", path)
		}
		fileOf[sa.Ino] = sb.Ino
	}
	return nil
}
