package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vault runs a command of weir-vault and expects its exit code.
func (g *rig) vault(code int, args ...string) string {
	g.t.Helper()
	out, errs, got := g.run("weir-vault", append(args, "--config", g.path("receiver.toml"))...)
	if got != code {
		g.t.Fatalf("weir-vault %v ended with %d, want %d:\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

// rules adds lines to the receiver's configuration.
func (g *rig) rules(lines string) {
	g.t.Helper()
	f, err := os.OpenFile(g.path("receiver.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("\n" + lines); err != nil {
		g.t.Fatal(err)
	}
}

// object returns the largest file among the vault's objects.
func (g *rig) object() (path string) {
	files, _ := filepath.Glob(g.path("vault", ".weir", "objects", "*", "*", "*"))
	var most int64
	for _, f := range files {
		if st, err := os.Stat(f); err == nil && st.Size() > most {
			path, most = f, st.Size()
		}
	}
	return path
}

// TestDamageIsFoundAndHealed flips a bit below two restore points, with the
// receiver running, and pushes the source again.
func TestDamageIsFoundAndHealed(t *testing.T) {
	g := newRig(t)
	g.gigabit("prod", g.listen)
	g.startReceiver()
	src := g.tree("src", 3_000_000, 20)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	path := g.object()
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	if !strings.Contains(g.vault(0, "scrub", "--all"), "All good") {
		t.Fatal("a good vault is not good")
	}
	os.Chmod(path, 0o644)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(b)
	f.Close()
	if out := g.vault(3, "scrub", "--all"); !strings.Contains(out, filepath.Base(path)) {
		t.Fatalf("the scrub says %s", out)
	}
	g.wait(func() bool { return g.whole() == g.sharing(path) }, func() string { return "the restore points to be marked" })
	g.push("prod", "etc", 0, src)
	g.waitWhole(3)
	for _, p := range g.list() {
		g.check(p.Sender+"/"+p.Source+"/"+p.Name, src)
	}
	g.vault(0, "scrub", "--all")
	if out := g.vault(0, "events", "--verify"); !strings.Contains(out, "in order") {
		t.Error(out)
	}
	if out := g.vault(0, "drill", "prod/etc", "--scratch", g.dir); !strings.Contains(out, "passed") {
		t.Error(out)
	}
	g.vault(0, "drill", "--files", "5", "--scratch", g.dir)
	if out := g.vault(0, "events"); strings.Count(out, "drill-passed") != 2 || !strings.Contains(out, "object-healed") {
		t.Errorf("events:\n%s", out)
	}
	if left, _ := filepath.Glob(g.path("weir-drill-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// sharing counts the restore points that do not link a file.
func (g *rig) sharing(path string) (without int) {
	for _, p := range g.list() {
		other, _ := filepath.Glob(g.path("vault", p.Sender, p.Source, p.Name, "data", "*"))
		if len(other) == 0 {
			without++
		}
	}
	return without
}

// TestRetentionByCommand prunes and locks with the receiver running and without.
func TestRetentionByCommand(t *testing.T) {
	g := newRig(t)
	g.gigabit("prod", g.listen)
	g.rules("[[source]]\nsender = \"prod\"\nkeep_last = 2\n")
	g.startReceiver()
	src := g.tree("src", 100_000, 5)
	for n := 1; n <= 5; n++ {
		write(t, filepath.Join(src, "changing"), 1000+n)
		g.push("prod", "etc", 0, src)
		g.waitWhole(n)
		time.Sleep(time.Second) // the names of restore points count seconds
	}
	oldest := g.list()[0]
	ref := oldest.Sender + "/" + oldest.Source + "/" + oldest.Name
	g.vault(0, "lock", ref, "--for", "1h")
	g.vault(1, "lock", ref, "--for", "30m")
	g.vault(2, "lock", ref)
	if out := g.vault(0, "prune", "--dry-run"); !strings.Contains(out, "2 of 5 would be removed") || !strings.Contains(out, "locked until") || g.whole() != 5 {
		t.Fatalf("prune --dry-run says\n%s", out)
	}
	if out := g.vault(0, "prune"); !strings.Contains(out, "2 of 5 are removed") {
		t.Fatalf("prune says\n%s", out)
	}
	g.wait(func() bool { return len(g.list()) == 3 }, func() string { return "two restore points to go" })
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("weir-recv ended with %d", code)
	}
	g.edit(g.path("receiver.toml"), "keep_last = 2", "keep_last = 1")
	g.vault(0, "prune")
	all := g.list()
	if len(all) != 2 || all[0].Name != oldest.Name {
		t.Fatalf("left are %+v", all)
	}
	g.check("prod/etc/latest", src)
	g.vault(0, "verify", "--all")
	g.vault(0, "events", "--verify")
	g.vault(0, "scrub", "--all")
}
