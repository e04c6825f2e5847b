package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"weir/internal/e2e/specimen"
	"weir/internal/relay"
)

// seal makes a recovery key and returns the line that seals a source to it, and the
// path of the key.
func (g *rig) seal(name string) (line, identity string) {
	g.t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		g.t.Fatal(err)
	}
	identity = g.path(name + ".recovery")
	if err := os.WriteFile(identity, []byte(id.String()+"\n"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return "encrypt_to = [\"" + id.Recipient().String() + "\"]", identity
}

// checkSealed restores a sealed snapshot with a key and compares it.
func (g *rig) checkSealed(ref, src, identity string) {
	g.t.Helper()
	g.must("weir-vault", "verify", ref, "--vault", g.path("vault"))
	dest := filepath.Join(tempDir(g.t), "restored")
	g.must("weir-vault", "restore", ref, dest, "--identity", identity, "--vault", g.path("vault"))
	if _, err := specimen.Compare(src, dest); err != nil {
		g.t.Fatalf("what was restored differs: %v", err)
	}
}

// sparseFile makes a file with content at both ends of a hole.
func sparseFile(t *testing.T, path string, size int64, marks ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for i, mark := range marks {
		if _, err := f.WriteAt([]byte(mark), int64(i)*(size-int64(len(mark)))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSealedRepairCode loses a part of sealed files, a sparse one among them. The code
// brings the missing ranges of the very same age files.
func TestSealedRepairCode(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	line, identity := g.seal("key")
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: 1500, Length: 1500}}})
	g.sender("prod", link.Addr().String(), "200Mbit", "--burst", "5ms")
	src := g.tree("src", 6e6, 20)
	sparseFile(t, filepath.Join(src, "sparse"), 4<<20, "the first words", "the last words")
	sparseFile(t, filepath.Join(src, "all hole"), 1<<20)
	g.append(g.path("prod.toml"), "\n[[source]]\nname = \"etc\"\npath = \""+src+"\"\n"+line+"\n")
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	m := g.missing()
	if len(m.Codes) != 1 || m.Snapshots[0].MissingBytes == 0 {
		t.Fatalf("%+v", m)
	}
	g.resend(0, m.Codes[0].Code)
	g.waitWhole(1)
	g.checkSealed("prod/etc/latest", src, identity)
	if found := readable(t, g.path("vault"), []byte("the first words")); len(found) > 0 {
		t.Errorf("%v can be read in the vault", found)
	}
}

// TestSealingIsTurnedOnAndOff changes a source from plain to sealed, to another
// recovery key, and back, with files that do not change meanwhile; later snapshots
// hold all of them as the source says then.
func TestSealingIsTurnedOnAndOff(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var cut atomic.Bool
	link := g.link(relay.Faults{Drop: func(uint64, []byte) bool { return cut.Load() }})
	g.sender("prod", link.Addr().String(), "200Mbit")
	src := g.tree("src", 400_000, 10)
	words := "words that stay the same "
	os.WriteFile(filepath.Join(src, "words"), []byte(strings.Repeat(words, 3000)), 0o600)
	first, firstKey := g.seal("first")
	second, secondKey := g.seal("second")
	plain, err := os.ReadFile(g.path("prod.toml"))
	if err != nil {
		t.Fatal(err)
	}
	g.startReceiver()
	whole := 0
	push := func(line string, args ...string) {
		t.Helper()
		text := bytes.Join([][]byte{plain, []byte("\n[[source]]\nname = \"etc\"\npath = \"" + src + "\"\n" + line + "\n")}, nil)
		if err := os.WriteFile(g.path("prod.toml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		g.push("prod", "etc", 0, append(args, src)...)
		whole++
		g.waitWhole(whole)
	}
	push("")
	push(first, "--changed")
	push(first, "--changed")
	g.checkSealed("prod/etc@2", src, firstKey)
	g.checkSealed("prod/etc@3", src, firstKey)
	push(second, "--changed")
	g.checkSealed("prod/etc@4", src, secondKey)
	if _, _, code := g.run("weir-vault", "restore", "prod/etc@4", g.path("none"), "--identity", firstKey, "--vault", g.path("vault")); code == 0 {
		t.Error("the first key opens what is sealed to the second")
	}
	push("", "--changed")
	g.check("prod/etc@5", src)
	push(first, "--changed")
	g.check("prod/etc@1", src)
	for n, sealed := range map[string]bool{"1": false, "2": true, "4": true, "5": false, "6": true} {
		data, err := filepath.Glob(g.path("vault", "prod", "etc", "*00000"+n, "data", "words"))
		if err != nil || len(data) != 1 {
			t.Fatal(n, data, err)
		}
		b, err := os.ReadFile(data[0])
		if err != nil || bytes.Contains(b, []byte(words)) == sealed {
			t.Errorf("snapshot %s is readable in the vault: %v, %v", n, !sealed, err)
		}
	}
	cut.Store(true)
	os.WriteFile(filepath.Join(src, "more"), bytes.Repeat([]byte("more "), 20_000), 0o600)
	g.push("prod", "etc", 0, "--changed", src)
	cut.Store(false)
	g.push("prod", "etc", 0, "--changed", src) // names what the seventh held, and does not send it
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	g.resend(0, g.missing().Codes[0].Code)
	whole++
	g.waitWhole(whole)
	g.checkSealed("prod/etc@8", src, firstKey)
}
