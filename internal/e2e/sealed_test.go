package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"weir/internal/e2e/specimen"
	"weir/internal/relay"
)

// TestSealedContent sends a source that is sealed to a recovery key, over a link
// that loses: the vault holds nothing readable, verifies it all the same, and only
// the key brings it back. A second push makes the very same objects again, which
// fills what the first one left out.
func TestSealedContent(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := g.path("recovery.key")
	if err := os.WriteFile(key, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: 40, Length: 500}}}) // more than parity heals
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 3e6, 30)
	secret := []byte(strings.Repeat("the secret of the house ", 5000))
	os.WriteFile(filepath.Join(src, "secret"), secret, 0o600)
	os.WriteFile(filepath.Join(src, "empty"), nil, 0o600)
	os.Link(filepath.Join(src, "secret"), filepath.Join(src, "secret-too"))
	conf, err := os.ReadFile(g.path("prod.toml"))
	if err != nil {
		t.Fatal(err)
	}
	table := "\n[[source]]\nname = \"etc\"\npath = " + `"` + src + `"` + "\nencrypt_to = [\"" + id.Recipient().String() + "\"]\n"
	if err := os.WriteFile(g.path("prod.toml"), append(conf, table...), 0o600); err != nil {
		t.Fatal(err)
	}
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.push("prod", "etc", 0, src) // fills the holes under the same object ids
	g.waitWhole(2)
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))

	stored := readable(t, g.path("vault"), secret[:24])
	if len(stored) > 0 {
		t.Errorf("%v can be read in the vault", stored)
	}
	dest := filepath.Join(tempDir(t), "restored")
	if _, _, code := g.run("weir-vault", "restore", "prod/etc/latest", dest, "--vault", g.path("vault")); code != 3 {
		t.Errorf("without a key restore ends with %d", code)
	}
	dest = filepath.Join(tempDir(t), "restored")
	g.must("weir-vault", "restore", "prod/etc@1", dest, "--identity", key, "--vault", g.path("vault"))
	if _, err := specimen.Compare(src, dest); err != nil {
		t.Errorf("restored with the key: %v", err)
	}
	dest = filepath.Join(tempDir(t), "restored")
	g.must("weir-vault", "restore", "prod/etc/latest", dest, "--encrypted", "--vault", g.path("vault"))
	f, err := os.Open(filepath.Join(dest, "secret-too"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := age.Decrypt(f, id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(plain); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("age itself opens %d bytes, %v", len(got), err)
	}
	g.sealedStream(t, key, secret)
}

// sealedStream sends a stream of the sealed source too.
func (g *rig) sealedStream(t *testing.T, key string, secret []byte) {
	t.Helper()
	_, errs, code := g.runIn(secret, "weir-send", "push", "--config", g.path("prod.toml"), "--source", "etc", "--as", "dump.sql", "-")
	if code != 0 {
		t.Fatalf("pushing a stream ended with %d:\n%s", code, errs)
	}
	g.waitWhole(3)
	dest := filepath.Join(tempDir(t), "restored")
	g.must("weir-vault", "restore", "prod/etc@3", dest, "--identity", key, "--vault", g.path("vault"))
	if got, err := os.ReadFile(filepath.Join(dest, "dump.sql")); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("the stream: %d bytes, %v", len(got), err)
	}
	if stored := readable(t, g.path("vault"), secret[:24]); len(stored) > 0 {
		t.Errorf("%v can be read in the vault", stored)
	}
}

// readable returns the files below dir that hold the text.
func readable(t *testing.T, dir string, text []byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, text) {
			found = append(found, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
