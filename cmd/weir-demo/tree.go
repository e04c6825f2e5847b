package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	largeSize  = 200 << 20
	mediumSize = 2 << 20
	mediums    = 40
	smalls     = 3000
)

// makeTree makes a tree with what backups trip over, the same each time.
func makeTree(dir string) error {
	rng := rand.NewChaCha8([32]byte{1})
	put := func(name string, size int) error {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		content := make([]byte, size)
		rng.Read(content)
		return os.WriteFile(path, content, 0o644)
	}
	var errs []error
	errs = append(errs, put("large.bin", largeSize))
	for i := range mediums {
		errs = append(errs, put(fmt.Sprintf("medium/%02d.bin", i), mediumSize))
	}
	for i := range smalls {
		errs = append(errs, put(fmt.Sprintf("small/%d/%d.txt", i%50, i), i))
	}
	for _, name := range []string{
		"names/with space", "names/with\nnewline", "names/not \xff\xfe UTF-8", `names/back\slash`, "names/-dash", "names/ünïcödé", "names/\"quoted\"",
		"names/" + strings.Repeat("n", 255), strings.Repeat("deep/", 100) + "down",
	} {
		errs = append(errs, put(name, 100))
	}
	errs = append(errs,
		put("empty file", 0),
		os.MkdirAll(filepath.Join(dir, "empty directory"), 0o700),
		os.Symlink("large.bin", filepath.Join(dir, "symbolic link")),
		os.Symlink("/nowhere/at all", filepath.Join(dir, "dangling link")),
		os.Link(filepath.Join(dir, "medium/00.bin"), filepath.Join(dir, "second name")),
		os.WriteFile(filepath.Join(dir, "executable"), []byte("#!/bin/sh\n"), 0o755),
		os.Chtimes(filepath.Join(dir, "executable"), time.Time{}, time.Date(1999, 12, 31, 23, 59, 59, 123456789, time.UTC)),
		sparse(filepath.Join(dir, "sparse")),
	)
	return errors.Join(errs...)
}

// sparse makes a file that is mostly hole.
func sparse(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("the end"), 1<<30)
	return err
}

// compare compares two trees and returns how many entries they have.
func compare(a, b string) (n int, err error) {
	err = filepath.WalkDir(a, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(a, path)
		if err != nil || rel == "." {
			return err
		}
		n++
		return compareOne(path, filepath.Join(b, rel))
	})
	return n, err
}

func compareOne(a, b string) error {
	ia, err := os.Lstat(a)
	if err != nil {
		return err
	}
	ib, err := os.Lstat(b)
	switch {
	case err != nil:
		return err
	case !ia.Mode().IsRegular() && !ia.IsDir() && ia.Mode()&fs.ModeSymlink == 0:
		return nil // not sent
	case ia.Mode() != ib.Mode():
		return fmt.Errorf("%q: mode %v became %v", a, ia.Mode(), ib.Mode())
	case !ia.ModTime().Equal(ib.ModTime()):
		return fmt.Errorf("%q: time %v became %v", a, ia.ModTime(), ib.ModTime())
	case ia.Mode()&fs.ModeSymlink != 0:
		return compareLinks(a, b)
	case ia.Mode().IsRegular():
		return compareContent(a, b)
	}
	return nil
}

func compareLinks(a, b string) error {
	ta, err := os.Readlink(a)
	if err != nil {
		return err
	}
	if tb, err := os.Readlink(b); err != nil || ta != tb {
		return fmt.Errorf("%q: link to %q became %q", a, ta, tb)
	}
	return nil
}

func compareContent(a, b string) error {
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
	pa, pb := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); ; {
		na, ea := fa.ReadAt(pa, off)
		nb, _ := fb.ReadAt(pb[:na], off)
		if !bytes.Equal(pa[:na], pb[:nb]) {
			return fmt.Errorf("%q: the content differs near byte %d", a, off)
		}
		if off += int64(na); ea != nil {
			break
		}
	}
	sa, _ := fa.Stat()
	if sb, _ := fb.Stat(); sa.Size() != sb.Size() {
		return fmt.Errorf("%q: %d bytes became %d", a, sa.Size(), sb.Size())
	}
	return nil
}
