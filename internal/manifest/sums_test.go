package manifest

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var awkward = []string{
	"plain", " leading", "trailing ", "-", "-dash", "--version", "*star", " *star", "new\nline", "\n", "back\\slash", "\\nback", "cr\r", "cr\r\n", "\r",
	"tab\t", "\xff\xfe", "ö", "quote\"'", "$(id)", "a  b", "MD5 (x) = y", "SHA256 (x) = 00", strings.Repeat("l", 255), "#hash", "~",
}

func TestAppendSumLine(t *testing.T) {
	sum := [32]byte{0xab}
	hex := "ab" + strings.Repeat("00", 31)
	for path, want := range map[string]string{
		"a":       hex + "  a\n",
		" a":      hex + "   a\n",
		"-":       hex + "  ./-\n",
		"data/-":  hex + "  data/-\n",
		"a\nb":    "\\" + hex + "  a\\nb\n",
		"a\\b\rc": "\\" + hex + "  a\\\\b\\rc\n",
	} {
		if got := string(AppendSumLine([]byte("before\n"), sum, path)); got != "before\n"+want {
			t.Errorf("AppendSumLine(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestSumsAgainstCoreutils(t *testing.T) {
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("sha256sum is not installed: nothing to compare with")
	}
	folder := t.TempDir()
	var sums []byte
	for _, name := range awkward {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		sums = AppendSumLine(sums, sha256.Sum256([]byte(name)), name)
	}
	check := func() (string, error) {
		if err := os.WriteFile(filepath.Join(folder, "SHA256SUMS"), sums, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "--strict", "--check", "SHA256SUMS")
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := check()
	if err != nil || strings.Count(out, ": OK") != len(awkward) {
		t.Errorf("sha256sum -c: %v:\n%s", err, out)
	}
	sums = AppendSumLine(nil, [32]byte{}, "cr\r\n")
	if out, err := check(); err == nil {
		t.Errorf("sha256sum -c takes a wrong hash: %s", out)
	}
}
