// Package imports holds the rules of who may import whom. They are what lets an
// auditor see that the receiver cannot send.
package imports

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/event"
)

// deps returns what a package links, itself included, split into ours and
// others.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

func ours(all []string, self string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return !strings.HasPrefix(p, "weir/") || p == self })
}

// TestReceiverCannotSend is the proof by imports: nothing that sends, no HTTP, no
// resolver of names, no way to run programs is linked into weir-recv.
func TestReceiverCannotSend(t *testing.T) {
	all := deps(t, "weir/cmd/weir-recv")
	if !slices.Contains(all, "weir/internal/udprx") {
		t.Fatal("weir-recv does not even link udprx: this test looks at the wrong thing")
	}
	for _, p := range []string{
		"weir/sender", "weir/internal/udptx", "weir/internal/control", "weir/internal/relay", "weir/internal/terminal/progress",
		"net/http", "net/smtp", "net/rpc", "log/syslog", "golang.org/x/crypto/ssh", "golang.org/x/net/dns/dnsmessage", "os/exec",
	} {
		if slices.Contains(all, p) {
			t.Errorf("weir-recv links %s", p)
		}
	}
}

func TestDirectionOfImports(t *testing.T) {
	for pkg, allowed := range map[string][]string{
		"weir/protocol":          {},
		"weir/internal/fec":      {},
		"weir/internal/udptx":    {},
		"weir/internal/udprx":    {},
		"weir/internal/pacing":   {},
		"weir/internal/names":    {},
		"weir/internal/event":    {},
		"weir/internal/exit":     {},
		"weir/internal/manifest": {"weir/internal/names"},
		"weir/internal/vault":    {"weir/internal/names", "weir/internal/manifest", "weir/internal/event"},
		"weir/internal/restore":  {"weir/internal/names", "weir/internal/manifest"},
		"weir/receiver":          {"weir/protocol", "weir/internal/fec", "weir/internal/event"},
		"weir/sender": {
			"weir/protocol", "weir/internal/fec", "weir/internal/event", "weir/internal/manifest", "weir/internal/names", "weir/internal/pacing",
		},
	} {
		for _, dep := range ours(deps(t, pkg), pkg) {
			if !slices.Contains(allowed, dep) {
				t.Errorf("%s imports %s", pkg, dep)
			}
		}
	}
}

// TestProtocolDoesNothing holds that the wire has no I/O, clock or goroutine of
// its own.
func TestProtocolDoesNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "weir/protocol").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if slices.Contains([]string{"os", "net", "time", "sync", "syscall", "log", "context"}, p) {
			t.Errorf("protocol imports %s", p)
		}
	}
}

// TestEveryEventIsLogged holds that the table of events, which alerts are written
// by, tells of none that the programs never log.
func TestEveryEventIsLogged(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if strings.Contains(path, "internal/event/") {
			return nil
		}
		b, err := os.ReadFile(path)
		code.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadFile("../event/event.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range event.Table {
		for line := range strings.Lines(string(names)) {
			name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && strings.Contains(value, `"`+e.Name+`"`) && !strings.Contains(code.String(), "event."+strings.TrimSpace(name)+")") &&
				!strings.Contains(code.String(), "event."+strings.TrimSpace(name)+",") && !strings.Contains(code.String(), "event."+strings.TrimSpace(name)+"\n") {
				t.Errorf("%s is never logged", e.Name)
			}
		}
	}
}
