package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// flip changes a bit of a file in place, and takes it back when done twice.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	st, err := os.Stat(path)
	if err == nil {
		err = os.Chmod(path, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	f.Chmod(st.Mode())
}

// TestFourKindsOfDamage flips bits in data, in a manifest and in a signature, of both
// copies, and in the event log, while the receiver runs. All is found and named, the
// restore points are marked, and a repair code heals them.
func TestFourKindsOfDamage(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.gigabit("prod", g.listen)
	g.startReceiver()
	sources := []string{"data", "manifest", "signature"}
	for i, s := range sources {
		g.push("prod", s, 0, g.tree(s, 3_000_000-i*1000, 5))
		g.waitWhole(i + 1)
	}
	g.vault(0, "scrub", "--all")
	object, log := g.object(), g.path("vault", ".weir", "events.jsonl")
	flip(t, object, 1_500_000)
	for _, file := range []string{"manifest/*/manifest.jsonl", "signature/*/manifest.sig"} {
		flip(t, g.one("vault", "prod", file), 100)
		flip(t, g.one("vault", ".weir", "manifests", "prod", strings.Replace(file, ".jsonl", ".zst", 1)), 100)
	}
	flip(t, log, 12)
	said := g.vault(3, "scrub", "--all")
	for _, want := range []string{filepath.Base(object), "manifest.jsonl", "manifest.sig", "events.jsonl"} {
		if !strings.Contains(said, want) {
			t.Errorf("the scrub does not name %s:\n%s", want, said)
		}
	}
	g.waitLog(g.recv, `"event":"events-damaged"`)
	g.wait(func() bool { return g.whole() == 0 }, func() string { return "all restore points to be marked; " + g.recv.log() })
	g.vault(3, "events", "--verify")
	m := g.missing()
	if len(m.Snapshots) != 3 || len(m.Codes) != 1 {
		t.Fatalf("missing: %+v", m)
	}
	g.resend(0, m.Codes[0].Code)
	g.waitWhole(3)
	for _, s := range sources {
		g.check("prod/"+s+"/latest", g.path(s))
	}
	for _, line := range strings.Split(g.vault(3, "scrub", "--all"), "\n") {
		if line != "" && !strings.Contains(line, "events.jsonl") && !strings.Contains(line, "finding") {
			t.Errorf("still there is %s", line)
		}
	}
	flip(t, log, 12)
	g.vault(0, "scrub", "--all")
	if out := g.vault(0, "events"); strings.Count(out, "snapshot-healed") < 3 {
		t.Errorf("events:\n%s", out)
	}
}

// one returns the only file that matches.
func (g *rig) one(pattern ...string) string {
	g.t.Helper()
	found, err := filepath.Glob(g.path(pattern...))
	if err != nil || len(found) != 1 {
		g.t.Fatalf("%v: %v, %v", pattern, found, err)
	}
	return found[0]
}
