package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/internal/e2e/specimen"
	"weir/internal/relay"
)

// awkward makes a small specimen, with names in it that are not sent.
func (g *rig) awkward(name string) string {
	g.t.Helper()
	src := g.path(name)
	if err := specimen.Make(src, specimen.Size{Large: 8e6, Mediums: 3, MediumLength: 1e6, Smalls: 200}); err != nil {
		g.t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(src, "pipe\nline"), 0o644); err != nil {
		g.t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(src, "socket"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { l.Close() })
	return src
}

// TestAwkwardTree sends what backups trip over, and looks at the restore point
// also with programs that know nothing of weir.
func TestAwkwardTree(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link := g.link(relay.Faults{Seed: 3, Loss: 0.005, Reorder: 0.01, ReorderBy: 50})
	g.sender("prod", link.Addr().String(), "300Mbit")
	src := g.awkward("src")
	g.startReceiver()
	out := g.push("prod", "etc", 0, src)
	for _, name := range []string{`pipe\nline`, "socket"} {
		if !strings.Contains(out, name) {
			t.Errorf("push does not say that it skipped %s:\n%s", name, out)
		}
	}
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
	point := g.path("vault", "prod", "etc", g.name(0))
	g.plainly(point)
	g.untouchable(point)
	g.restoresParts(src)
}

// name returns the last element of the name of a listed snapshot.
func (g *rig) name(i int) string { return filepath.Base(g.list()[i].Name) }

// plainly reads a restore point with sha256sum, ssh-keygen and a JSON decoder.
func (g *rig) plainly(point string) {
	g.t.Helper()
	sums := exec.Command("sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS")
	sums.Dir = point
	if out, err := sums.CombinedOutput(); err != nil {
		g.t.Errorf("sha256sum: %v\n%s", err, out)
	}
	manifest, err := os.ReadFile(filepath.Join(point, "manifest.jsonl"))
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range bytes.Lines(manifest) {
		if !json.Valid(line) {
			g.t.Errorf("no JSON: %s", line)
		}
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		g.t.Log("ssh-keygen is not on this machine: the signature was checked by weir alone")
		return
	}
	sign := exec.Command("ssh-keygen", "-Y", "verify", "-f", g.path("vault", ".weir", "allowed_signers"), "-I", "prod", "-n", "weir-manifest", "-s", filepath.Join(point, "manifest.sig"))
	sign.Stdin = bytes.NewReader(manifest)
	if out, err := sign.CombinedOutput(); err != nil {
		g.t.Errorf("ssh-keygen: %v\n%s", err, out)
	}
}

// untouchable holds the modes of what is published: whatever the sender's were.
func (g *rig) untouchable(point string) {
	g.t.Helper()
	err := filepath.Walk(point, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		switch {
		case info.IsDir() && info.Mode().Perm() != 0o555,
			info.Mode().IsRegular() && info.Mode()&^0o444 != 0,
			!info.IsDir() && !info.Mode().IsRegular():
			g.t.Errorf("%q has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		g.t.Error(err)
	}
}

// restoresParts restores two paths of an awkward tree, and then over something
// that stands there.
func (g *rig) restoresParts(src string) {
	g.t.Helper()
	args := []string{"restore", "prod/etc/latest", g.path("part"), "names", "second name", "--vault", g.path("vault")}
	g.must("weir-vault", args...)
	all, err := os.ReadDir(g.path("part"))
	if err != nil || len(all) != 2 {
		g.t.Fatalf("restored %v, %v", all, err)
	}
	if _, err := specimen.Compare(filepath.Join(src, "names"), g.path("part", "names")); err != nil {
		g.t.Error(err)
	}
	if err := os.WriteFile(g.path("part", "second name"), []byte("mine"), 0o644); err != nil {
		g.t.Fatal(err)
	}
	if _, errs, code := g.run("weir-vault", args...); code == 0 || !strings.Contains(errs, "overwrit") {
		g.t.Errorf("a second restore ended with %d:\n%s", code, errs)
	}
	if b, err := os.ReadFile(g.path("part", "second name")); err != nil || string(b) != "mine" {
		g.t.Errorf("a file that stood there became %q, %v", b, err)
	}
	g.must("weir-vault", append(args, "--overwrite")...)
	want, _ := os.ReadFile(filepath.Join(src, "second name"))
	if got, err := os.ReadFile(g.path("part", "second name")); err != nil || !bytes.Equal(got, want) {
		g.t.Errorf("not overwritten: %v", err)
	}
}

// TestPathsOfAPush sends several paths, a single file, and leaves out what globs
// say.
func TestPathsOfAPush(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	g.startReceiver()
	a, b := g.tree("a", 1e5, 3), g.tree("b", 1e5, 2)
	g.push("prod", "two", 0, a, b, filepath.Join(a, "large"), "--exclude", "b/small/0", "--exclude", "*ge")
	g.push("prod", "one", 0, filepath.Join(a, "large"))
	g.waitWhole(2)
	for ref, want := range map[string][]string{
		"prod/one/latest": {"large"},
		"prod/two/latest": {"a", "a/small", "a/small/0", "a/small/1", "a/small/2", "b", "b/small", "b/small/1"},
	} {
		dest := g.path("restored", ref)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			t.Fatal(err)
		}
		g.must("weir-vault", "restore", ref, dest, "--vault", g.path("vault"))
		var got []string
		filepath.Walk(dest, func(path string, _ os.FileInfo, err error) error {
			if rel, rerr := filepath.Rel(dest, path); err == nil && rerr == nil && rel != "." {
				got = append(got, rel)
			}
			return err
		})
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s holds %q, want %q", ref, got, want)
		}
	}
}

// TestStream sends the output of a program of which nobody knows how long it
// is, and one that ends at once.
func TestStream(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link := g.link(relay.Faults{Seed: 4, Loss: 0.005})
	g.sender("prod", link.Addr().String(), "300Mbit")
	g.startReceiver()
	content := bytes.Repeat([]byte("insert into t values (1);\n"), 400e3)
	for source, stdin := range map[string][]byte{"pg": content, "empty": nil} {
		out, errs, code := g.runIn(stdin, "weir-send", "push", "--config", g.path("prod.toml"), "--source", source, "--as", "dump/db.sql", "-")
		if code != 0 {
			t.Fatalf("push ended with %d:\n%s%s", code, out, errs)
		}
	}
	g.waitWhole(2)
	for source, want := range map[string][]byte{"pg": content, "empty": nil} {
		dest := g.path("restored " + source)
		g.must("weir-vault", "restore", "prod/"+source+"/latest", dest, "--vault", g.path("vault"))
		if got, err := os.ReadFile(filepath.Join(dest, "dump", "db.sql")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes became %d, %v", len(want), len(got), err)
		}
	}
}

// TestListJSON holds the fields that scripts read.
func TestListJSON(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	if out := g.must("weir-vault", "list", "--json", "--vault", g.path("vault")); strings.TrimSpace(out) != "[]" {
		t.Errorf("an empty vault lists %s", out)
	}
	g.startReceiver()
	g.push("prod", "etc", 0, g.tree("src", 1e5, 3))
	g.waitWhole(1)
	var all []map[string]any
	if err := json.Unmarshal([]byte(g.must("weir-vault", "list", "--json", "--vault", g.path("vault"))), &all); err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for field, want := range map[string]any{
		"sender": "prod", "source": "etc", "number": 1.0, "state": "whole", "files": 4.0, "bytes": 100303.0, "missing_files": 0.0, "missing_bytes": 0.0,
	} {
		if all[0][field] != want {
			t.Errorf("%s is %v, want %v", field, all[0][field], want)
		}
	}
	for _, field := range []string{"name", "taken", "received"} {
		if s, _ := all[0][field].(string); s == "" {
			t.Errorf("there is no %s in %v", field, all[0])
		}
	}
}
