package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// maxFile bounds a configuration file, in bytes, before it is read.
const maxFile = 4 << 20

// A document is one file while it is being checked. Problems are collected,
// not returned one by one.
type document struct {
	path     string
	data     []byte
	problems Problems
}

// A table is the top of a document, or one element of an array of tables.
type table struct {
	doc    *document
	name   string // "" for the top
	index  int
	values map[string]any
	known  []string
}

func readFile(path, program string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &absent{path, program}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration %s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("reading the configuration %s: it is larger than %d bytes", path, maxFile)
	}
	return data, nil
}

// absent is the error about a configuration that is not there. To errors.Is it
// is ErrInvalid, as what has to be mended is the command line or the file.
type absent struct{ path, program string }

// Error says what to do next.
func (e *absent) Error() string {
	return fmt.Sprintf("there is no configuration %s: make one with `%s init`, or name another with --config", e.path, e.program)
}

// Is reports whether target is ErrInvalid or fs.ErrNotExist.
func (e *absent) Is(target error) bool { return target == ErrInvalid || target == fs.ErrNotExist }

// newDocument parses TOML. Where that fails, the table is empty and the
// problem is in the document.
func newDocument(path string, data []byte) (*document, *table) {
	d := &document{path: path, data: data}
	values := map[string]any{}
	if !utf8.Valid(data) {
		d.problems = Problems{{File: path, Line: invalidLine(data), Text: "it holds bytes that are not UTF-8, which TOML needs"}}
	} else if _, err := toml.Decode(string(data), &values); err != nil {
		d.problems = Problems{d.syntax(err)}
	}
	return d, &table{doc: d, values: values}
}

// syntax words an error of the TOML library. By far the most usual slip is an
// amount without quotes, which the library has no words for.
func (d *document) syntax(err error) Problem {
	const hint = "; text, and amounts with a unit, stand in quotes"
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return Problem{File: d.path, Text: err.Error() + hint}
	}
	line, key := syntax.Position.Line, syntax.LastKey
	if lines := strings.Split(string(d.data), "\n"); key == "" && line >= 1 && line <= len(lines) {
		key = keyOf(strings.TrimSpace(lines[line-1]))
	}
	return Problem{File: d.path, Line: line, Key: key, Text: syntax.Message + hint}
}

func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	sort.SliceStable(d.problems, func(i, j int) bool { return d.problems[i].Line < d.problems[j].Line })
	return d.problems
}

// resolve makes a path of the file absolute: relative ones start at the
// directory of the file, not of the process.
func (d *document) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.path), path)
}

func (t *table) problem(key, format string, args ...any) {
	full := key
	if t.name != "" {
		full = fmt.Sprintf("%s[%d].%s", t.name, t.index+1, key)
	}
	t.doc.problems = append(t.doc.problems, Problem{
		File: t.doc.path,
		Line: t.doc.line(t.name, t.index, key),
		Key:  full,
		Text: fmt.Sprintf(format, args...),
	})
}

// take returns the value of a key and notes that the key is known.
func (t *table) take(key string) (any, bool) {
	t.known = append(t.known, key)
	v, ok := t.values[key]
	return v, ok
}

// need complains about a key that has no default and is not there.
func (t *table) need(keys ...string) {
	for _, key := range keys {
		if _, ok := t.values[key]; !ok {
			t.problem(key, "it is missing and has no default")
		}
	}
}

// text reads a string into one of the types with a text form of their own. It
// reports whether there was one and it was good.
func (t *table) text(key string, into encoding.TextUnmarshaler) bool {
	v, ok := t.take(key)
	if !ok {
		return false
	}
	s, ok := v.(string)
	if !ok {
		t.problem(key, "%v is no string, write it in quotes and with its unit", v)
		return false
	}
	if err := into.UnmarshalText([]byte(s)); err != nil {
		t.problem(key, "%v", err)
		return false
	}
	return true
}

func (t *table) str(key string, into *string) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	if s, ok := v.(string); ok {
		*into = s
		return
	}
	t.problem(key, "%v is no string, write it in quotes", v)
}

func (t *table) integer(key string, into *int) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	if n, ok := v.(int64); ok && int64(int(n)) == n {
		*into = int(n)
		return
	}
	t.problem(key, "%q is no whole number, write it like 1500, without quotes", fmt.Sprint(v))
}

func (t *table) flag(key string, into *bool) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	if b, ok := v.(bool); ok {
		*into = b
		return
	}
	t.problem(key, "%q is neither true nor false, write one of them without quotes", fmt.Sprint(v))
}

// list reads one string or a list of strings.
func (t *table) list(key string, into *[]string) {
	v, ok := t.take(key)
	if !ok {
		return
	}
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			t.problem(key, `%v is no string, write "one" or ["one", "two"]`, item)
			return
		}
		out = append(out, s)
	}
	*into = out
}

func (t *table) choice(key string, into *string, choices ...string) {
	t.str(key, into)
	if !slices.Contains(choices, *into) {
		t.problem(key, "%q is unknown, write one of %s", *into, strings.Join(choices, ", "))
	}
}

// tables returns the elements of an array of tables.
func (t *table) tables(key string) []*table {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	maps, ok := v.([]map[string]any)
	if !ok {
		t.problem(key, "write each as a table of its own under a line [[%s]]", key)
		return nil
	}
	out := make([]*table, len(maps))
	for i, m := range maps {
		out[i] = &table{doc: t.doc, name: key, index: i, values: m}
	}
	return out
}

// end complains about every key that nobody asked for.
func (t *table) end() {
	for key := range t.values {
		if slices.Contains(t.known, key) {
			continue
		}
		if near := nearest(key, t.known); near != "" {
			t.problem(key, "there is no such key, did you mean %q?", near)
			continue
		}
		t.problem(key, "there is no such key here, the keys are %s", strings.Join(t.known, ", "))
	}
}
