// Package textfile writes small files that others read again and again: metrics
// in the text format of Prometheus (version 0.0.4), which the textfile collector
// of its node exporter takes up.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Metrics writes metrics. Errors are left to W to remember.
type Metrics struct{ W io.Writer }

// Label is a name and a value, which may hold anything.
type Label struct{ Name, Value string }

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Head begins a metric. One whose name ends in _total is a counter, any other a
// gauge.
func (m Metrics) Head(name, help string) {
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	fmt.Fprintf(m.W, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Value writes a value of the metric that Head began.
func (m Metrics) Value(name string, v float64, labels ...Label) {
	var text []string
	for _, l := range labels {
		text = append(text, l.Name+`="`+escape.Replace(strings.ToValidUTF8(l.Value, "\uFFFD"))+`"`)
	}
	if len(text) > 0 {
		name += "{" + strings.Join(text, ",") + "}"
	}
	fmt.Fprintf(m.W, "%s %s\n", name, strconv.FormatFloat(v, 'f', -1, 64))
}

// Single writes a metric of one value.
func (m Metrics) Single(name, help string, v float64) {
	m.Head(name, help)
	m.Value(name, v)
}

// Replace puts a whole new file, readable for all, in the place of the old one. It
// syncs nothing: every few seconds, that would take from the disk what it is there
// for. Only one process may write to a path.
func Replace(path string, content []byte) error {
	fresh := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return os.Rename(fresh, path)
}
