package unit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestWordsThatSystemdWouldChange(t *testing.T) {
	for in, want := range map[string]string{
		"/srv/vault":      "/srv/vault",
		"/srv/my vault":   `"/srv/my vault"`,
		"/srv/100%":       "/srv/100%%",
		"/srv/$HOME":      "/srv/$HOME",
		`/srv/a\b`:        `"/srv/a\\b"`,
		`/srv/"a`:         `"/srv/\"a"`,
		"/srv/semi;colon": `"/srv/semi;colon"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
	if got := command([]string{"/b$in", "a", "/srv/$x y"}); got != `/b$in a "/srv/$$x y"` {
		t.Errorf("command: %s", got)
	}
}

func TestPathThatNoUnitCanHold(t *testing.T) {
	var b strings.Builder
	if err := (Service{Command: []string{"/bin/true"}, Mounts: []string{"/srv/a\nExecStartPre=/bin/evil"}}).Write(&b); err == nil || b.Len() > 0 {
		t.Fatalf("error %v, wrote %q", err, b.String())
	}
}

// TestSystemdTakesIt has systemd read the unit, with paths that are awkward.
func TestSystemdTakesIt(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze on this host")
	}
	dir := filepath.Join(t.TempDir(), "100% $HOME a")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "weir-recv")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s := Service{
		Description: "test", Command: []string{program, "run"}, Mounts: []string{dir}, Writable: []string{dir, "/srv"},
		Capabilities: []string{"CAP_NET_ADMIN", "CAP_NET_RAW"},
	}
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "weir-test.service")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), file) {
		t.Errorf("systemd-analyze: %v\n%s\n%s", err, out, b.String())
	}
}
