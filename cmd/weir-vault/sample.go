package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"

	"weir/internal/manifest"
)

// eachFile visits the files of a manifest that have content which was sent well.
func eachFile(path string, visit func(*manifest.Entry) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the manifest: %w", err)
	}
	defer f.Close()
	r, err := manifest.NewReader(f, manifest.Limits{})
	for err == nil {
		var e *manifest.Entry
		if e, err = r.Next(); err == nil && e.Kind == manifest.File && (e.Size == 0 && e.Problem == "" || e.Object != [16]byte{}) {
			err = visit(e)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// sample chooses n files of a manifest, each with the same chance.
func sample(path string, n int) (paths []string, err error) {
	seen := 0
	err = eachFile(path, func(e *manifest.Entry) error {
		seen++
		switch at := rand.IntN(seen); {
		case len(paths) < n:
			paths = append(paths, e.Path)
		case at < n:
			paths[at] = e.Path
		}
		return nil
	})
	slices.Sort(paths)
	return paths, err
}

// differs reads what was restored once more and compares it with the manifest.
func differs(ctx context.Context, path, dest string, paths []string) (wrong []string, err error) {
	root, err := os.OpenRoot(dest)
	if err != nil {
		return nil, fmt.Errorf("opening what was restored: %w", err)
	}
	defer root.Close()
	openUp(root)
	err = eachFile(path, func(e *manifest.Entry) error {
		if _, chosen := slices.BinarySearch(paths, e.Path); len(paths) > 0 && !chosen {
			return nil
		}
		if err := compare(root, e); err != nil {
			wrong = append(wrong, fmt.Sprintf("%q: %v", e.Path, err))
		}
		return ctx.Err()
	})
	return wrong, err
}

// openUp lets us read what was restored with the modes of the source.
func openUp(root *os.Root) {
	fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, _ error) error {
		switch {
		case d == nil || d.Type()&fs.ModeSymlink != 0:
		case d.IsDir():
			root.Chmod(p, 0o700)
		default:
			root.Chmod(p, 0o600)
		}
		return nil // what cannot be opened is told of when it is compared
	})
}

func compare(root *os.Root, e *manifest.Entry) error {
	f, err := root.Open(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it was not restored")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err == nil && (n != e.Size || [32]byte(h.Sum(nil)) != e.SHA256) {
		err = errors.New("what was restored is not what the manifest lists")
	}
	return err
}
