package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

var (
	errEmptyName = errors.New("an empty name in it")
	errDots      = errors.New("a name \".\" or \"..\" in it")
	errLongName  = fmt.Errorf("a name of more than %d bytes in it", MaxComponent)
	errNUL       = errors.New("a NUL in it")
)

// CheckPath returns nil if p may be the path of an entry: relative, components
// of 1 to 255 bytes joined by single slashes, none of them "." or "..", no NUL,
// at most MaxPath bytes. Otherwise its error wraps ErrPath.
func CheckPath(p string) error {
	if p == "" || len(p) > MaxPath {
		return fmt.Errorf("%w: it has %d bytes", ErrPath, len(p))
	}
	for start := 0; start <= len(p); {
		end := len(p)
		if i := strings.IndexByte(p[start:], '/'); i >= 0 {
			end = start + i
		}
		if err := checkComponent(p[start:end]); err != nil {
			return fmt.Errorf("%w: %.100q has %w", ErrPath, p, err)
		}
		start = end + 1
	}
	return nil
}

func checkComponent(c string) error {
	switch {
	case c == "":
		return errEmptyName
	case c == "." || c == "..":
		return errDots
	case len(c) > MaxComponent:
		return errLongName
	case strings.IndexByte(c, 0) >= 0:
		return errNUL
	}
	return nil
}

// ComparePath orders paths as a depth-first walk with sorted names meets them:
// byte by byte, with '/' below every other byte. It returns -1, 0 or 1.
func ComparePath(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// rank puts '/' below every other byte and keeps the order of the others.
func rank(c byte) int {
	if c == '/' {
		return -1
	}
	return int(c)
}

// below says whether p lies below the directory dir.
func below(p, dir string) bool {
	return len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}
