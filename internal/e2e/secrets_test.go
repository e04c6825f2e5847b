package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"weir/internal/keys"
)

// forms returns a secret in every form in which it could be found: as it is, in hex,
// in base64 of both alphabets at any place of a longer text, and in bech32.
func forms(secret []byte) (all [][]byte) {
	all = append(all, secret, []byte(hex.EncodeToString(secret)), []byte(strings.ToUpper(hex.EncodeToString(secret))))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := enc.EncodeToString(append(make([]byte, shift), secret...))
			all = append(all, []byte(text[(shift*8+5)/6:len(text)-1])) // without what its neighbours reach into
		}
	}
	plain := bech32(secret)
	return append(all, plain, bytes.ToUpper(plain))
}

// bech32 is the data part of BIP 173, without the last character, which may hold
// padding, and the checksum.
func bech32(data []byte) (out []byte) {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	acc, bits := 0, 0
	for _, b := range data {
		for acc, bits = acc<<8|int(b), bits+8; bits >= 5; bits -= 5 {
			out = append(out, alphabet[acc>>(bits-5)&31])
		}
	}
	return out
}

// secretsOf reads the secrets of a key file.
func secretOf(t *testing.T, path string) []byte {
	t.Helper()
	if key, err := keys.LoadSender(path); err == nil {
		return key.Seed()
	}
	if key, err := keys.LoadReceiver(path); err == nil {
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	key, err := keys.Attestation(path)
	if err != nil {
		t.Fatalf("%s holds no key that this test knows: %v", path, err)
	}
	return key.Seed()
}

// TestKeysAreNowhereElse runs both services with all that they can say, through a
// rotation of the keys of both, and looks for the secrets in whatever they wrote.
func TestKeysAreNowhereElse(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	recovery, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "recovery.key")
	os.WriteFile(identity, []byte(recovery.String()+"\n"), 0o600)
	src := g.tree("src", 200_000, 5)
	g.edit(g.path("prod.toml"), `log_level = "info"`, `log_level = "debug"`)
	g.edit(g.path("prod.toml"), `metrics = ""`, `metrics = "prod.prom"`)
	g.edit(g.path("prod.toml"), `heartbeat = "10s"`, `heartbeat = "200ms"`)
	g.append(g.path("prod.toml"), "\n[[source]]\nname = \"sealed\"\npath = \""+src+"\"\nencrypt_to = [\""+recovery.Recipient().String()+"\"]\n")
	g.edit(g.path("receiver.toml"), `log_level = "info"`, `log_level = "debug"`)
	g.startReceiver()
	send := g.service("prod")
	var said []string
	note := func(text string) string { said = append(said, text); return text }
	g.push("prod", "etc", 0, src)
	next := printOf(t, note(g.sendCmd("prod", 0, "rotate-key")))
	g.waitLog(g.recv, `"event":"key-offered"`)
	note(g.recvCmd(0, "trust", "prod", "--offered", next))
	note(g.sendCmd("prod", 0, "rotate-key", "--switch", next))
	note(g.recvCmd(0, "rotate-key"))
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	g.wait(func() bool { return g.ofSource("sealed") > 0 }, g.recv.log)
	note(g.must("weir-vault", "restore", "prod/sealed/latest", filepath.Join(tempDir(t), "r"), "--identity", identity, "--vault", g.path("vault")))
	note(g.sendCmd("prod", 0, "status"))
	note(g.recvCmd(0, "senders"))
	g.wait(func() bool { _, err := os.Stat(g.path("prod.prom")); return err == nil }, send.log)
	g.stop(send)
	g.stop(g.recv)
	said = append(said, send.log(), g.recv.log())
	if !strings.Contains(g.recv.log(), `"level":"debug"`) && !strings.Contains(send.log(), `"level":"debug"`) {
		t.Log("neither service had anything to say at level debug")
	}
	g.search(said, []byte(recovery.String()))
}

// append adds text to a file.
func (g *rig) append(path, text string) {
	g.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		g.t.Fatal(err)
	}
}

// ofSource counts the whole restore points of a source.
func (g *rig) ofSource(source string) (n int) {
	for _, p := range g.list() {
		if p.Source == source && p.State == "whole" {
			n++
		}
	}
	return n
}

// search looks for every secret of the rig in texts, and in all files but those of
// the keys themselves, which must be for their owner alone.
func (g *rig) search(said []string, more ...[]byte) {
	g.t.Helper()
	all, files := map[string][][]byte{}, map[string][]byte{}
	for i, secret := range more {
		all["given "+string(rune('1'+i))] = [][]byte{secret}
	}
	for i, text := range said {
		files["output "+string(rune('1'+i))] = []byte(text)
	}
	err := filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if base := filepath.Base(path); strings.Contains(base, ".key") {
			if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
				g.t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
			}
			all[base] = forms(secretOf(g.t, path))
			return nil
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	if len(all) < 6 || len(files) < 30 { // both keys of both sides, attestation, recovery
		g.t.Fatalf("%d secrets and %d files: this test looks at the wrong thing", len(all), len(files))
	}
	for name, secrets := range all {
		for path, data := range files {
			for i, form := range secrets {
				if bytes.Contains(data, form) {
					g.t.Errorf("%s holds the secret of %s in form %d", path, name, i)
				}
			}
		}
	}
}

// TestForms holds that the search would find what it looks for.
func TestForms(t *testing.T) {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i*37 + 5)
	}
	found := func(text string) bool {
		for _, f := range forms(secret) {
			if bytes.Contains([]byte(text), f) {
				return true
			}
		}
		return false
	}
	for shift := range 4 {
		long := append(bytes.Repeat([]byte{0xa5}, shift), append(bytes.Clone(secret), "and more"...)...)
		for name, text := range map[string]string{
			"raw": string(long), "hex": hex.EncodeToString(long), "base64": base64.StdEncoding.EncodeToString(long), "url": base64.URLEncoding.EncodeToString(long),
		} {
			if !found(text) {
				t.Errorf("%s behind %d bytes is not found", name, shift)
			}
		}
	}
	// The vectors of BIP 173: a witness program of 20 bytes.
	program, _ := hex.DecodeString("751e76e8199196d454941c45d1b3a323f1433bd6")
	if got := string(bech32(program)); got != "w508d6qejxtdg4y5r3zarvary0c5xw7k" {
		t.Errorf("bech32 %s", got)
	}
}
