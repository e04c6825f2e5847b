package attestation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestAnybodyCanVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "attestations")
	if Done(dir, noon) {
		t.Error("done before it was written")
	}
	for n := range 2 { // a second key joins the first
		d := Day{Time: noon.AddDate(0, 0, n), Sources: []Source{{Sender: "prod", Source: "etc"}}}
		if err := Write(dir, d, key(byte(n))); err != nil {
			t.Fatal(err)
		}
	}
	if !Done(dir, noon) || !Done(dir, noon.Add(11*time.Hour)) || Done(dir, noon.AddDate(0, 0, 2)) {
		t.Error("the days that are done are wrong")
	}
	var d Day
	text, err := os.ReadFile(filepath.Join(dir, "2026-11-24.json"))
	if err != nil || json.Unmarshal(text, &d) != nil || d.Day != "2026-11-24" || d.Version != 1 || strings.Contains(string(text), "0001-01-01") {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("WEIR_NETNS") == "1" {
			t.Fatal(err)
		}
		t.Skip("ssh-keygen is not there to verify the signatures:", err)
	}
	for _, day := range []string{"2026-11-24", "2026-11-25"} {
		text, err := os.ReadFile(filepath.Join(dir, day+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := verify(dir, day, text); err != nil {
			t.Errorf("%s: %v\n%s", day, err, out)
		}
		if _, err := verify(dir, day, bytes.Replace(text, []byte("prod"), []byte("brod"), 1)); err == nil {
			t.Errorf("%s: a changed file has a good signature", day)
		}
	}
}

func verify(dir, day string, text []byte) ([]byte, error) {
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", Signer, "-n", Namespace, "-s", day+".json.sig")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(text)
	return cmd.CombinedOutput()
}

func TestTroubleIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if Write(filepath.Join(file, "dir"), Day{Time: noon}, key(1)) == nil {
		t.Error("written below a file")
	}
}
