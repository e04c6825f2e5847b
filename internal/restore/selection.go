package restore

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"weir/internal/manifest"
)

// selection says which entries to restore. Paths must be asked in manifest
// order: a folder that matches selects what follows below it.
type selection struct {
	patterns []pattern
}

type pattern struct {
	text    string
	glob    bool
	all     bool
	dir     string // the path that matched last; what lies below it matches too
	matched bool
}

// newSelection refuses patterns that no path can match. No pattern selects
// everything.
func newSelection(paths []string) (*selection, error) {
	s := &selection{}
	for _, text := range paths {
		p := pattern{text: strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")}
		p.all = p.text == "." || p.text == "" && text != "" && text != "/"
		p.glob = strings.ContainsAny(p.text, "*?[{\\") && doublestar.ValidatePattern(p.text)
		if err := manifest.CheckPath(p.text); err != nil && !p.all {
			return nil, fmt.Errorf("%q: %w: %w", text, ErrPattern, err)
		}
		s.patterns = append(s.patterns, p)
	}
	return s, nil
}

func (s *selection) has(path string) bool {
	found := len(s.patterns) == 0
	for i := range s.patterns {
		if s.patterns[i].has(path) {
			found = true // go on: each pattern learns what it matches
		}
	}
	return found
}

func (p *pattern) has(path string) bool {
	if p.all || p.dir != "" && below(path, p.dir) {
		p.matched = true
		return true
	}
	// A name may hold the characters of a glob, so its plain text counts too.
	hit := path == p.text || below(path, p.text)
	if !hit && p.glob {
		hit, _ = doublestar.Match(p.text, path)
	}
	if hit {
		p.dir, p.matched = path, true
	}
	return hit
}

// restart makes s ready for another reading of the manifest.
func (s *selection) restart() {
	for i := range s.patterns {
		s.patterns[i].dir = ""
	}
}

// unmatched returns an error for the patterns that matched nothing.
func (s *selection) unmatched() error {
	var texts []string
	for _, p := range s.patterns {
		if !p.matched {
			texts = append(texts, fmt.Sprintf("%q", p.text))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("%w %s", ErrNoMatch, strings.Join(texts, ", "))
}

// below says whether path lies below the directory dir.
func below(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// split returns the directory of path ("" at the top) and the last name.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}
