package event

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// constants reads the names from the source, so that a constant that nobody
// entered into Table is noticed.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name == "Field" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found[spec.Names[0].Name] = value
		return true
	})
	return found
}

func TestTableIsComplete(t *testing.T) {
	entries := map[string]int{}
	for _, e := range Table {
		entries[e.Name]++
	}
	names := constants(t)
	if len(names) < 20 {
		t.Fatalf("only %d constants found in event.go", len(names))
	}
	for constant, name := range names {
		if entries[name] != 1 {
			t.Errorf("%s (%q) stands %d times in Table, want once", constant, name, entries[name])
		}
	}
	if len(Table) != len(names) {
		t.Errorf("Table has %d entries for %d constants", len(Table), len(names))
	}
}

func TestEntriesAreWellFormed(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, e := range Table {
		if !kebab.MatchString(e.Name) {
			t.Errorf("%q is not kebab-case", e.Name)
		}
		if !strings.Contains(" debug info warn error ", " "+e.Level+" ") {
			t.Errorf("%s: unknown level %q", e.Name, e.Level)
		}
		if e.Meaning == "" || strings.ContainsAny(e.Meaning, "\n|") {
			t.Errorf("%s: meaning %q does not fit a table cell", e.Name, e.Meaning)
		}
	}
}

func TestMarkdown(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Markdown(), "\n"), "\n")
	if want := len(Table) + 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	if want := "| `started` | info | "; !strings.HasPrefix(lines[2], want) {
		t.Errorf("first row %q, want prefix %q", lines[2], want)
	}
}
