package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/relay"
	"weir/internal/status"
)

// TestAbandonedAsksForNothing kills a push in the midst. The next one finishes, and
// tells that the first will not be: it counts as abandoned wherever somebody looks,
// and nobody is asked to do anything about it.
func TestAbandonedAsksForNothing(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link, arrived := g.watched(2000)
	g.sender("prod", link.Addr().String(), "50Mbit")
	g.expecting("")
	src := g.tree("src", 8e6, 20)
	g.startReceiver()
	p := g.start(filepath.Join(bin, "weir-send"), "push", "--config", g.path("prod.toml"), "--source", "etc", src)
	g.arrives(arrived)
	p.cmd.Process.Kill()
	g.ended(p)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.waitLog(g.recv, `"event":"snapshot-abandoned"`)
	all := g.list()
	if len(all) != 2 || all[0].State != "abandoned" || all[0].Number != 1 || all[1].State != "whole" || all[1].Number != 2 {
		t.Fatalf("%+v", all)
	}
	if out := g.must("weir-vault", "list", "--vault", g.path("vault")); !strings.Contains(out, "abandoned") || !strings.Contains(out, "the sender never finished it and will not") {
		t.Errorf("list says:\n%s", out)
	}
	if out := g.must("weir-vault", "missing", "--vault", g.path("vault")); !strings.Contains(out, "Nothing is missing") || strings.Contains(out, "resend") {
		t.Errorf("missing says:\n%s", out)
	}
	if _, errs, code := g.run("weir-vault", "missing", "prod/etc@1", "--vault", g.path("vault")); code != 3 || !strings.Contains(errs, "was abandoned") {
		t.Errorf("missing of it ends with %d and says:\n%s", code, errs)
	}
	g.waitStatus("one whole and one abandoned", func(s *status.Status) bool {
		return len(s.Sources) == 1 && s.Sources[0].Whole == 1 && s.Sources[0].Abandoned == 1 && s.Sources[0].Partial == 0 && len(s.Missing) == 0 && s.Good()
	})
	if out := g.vault(0, "status"); !strings.Contains(out, "ALL IS AS EXPECTED") || !strings.Contains(out, "1 abandoned") || strings.Contains(out, "resend") {
		t.Errorf("status says:\n%s", out)
	}
	g.check("prod/etc/latest", src)
}

// TestDeletedFileComesBackFromTheSpool loses a part of a file on the link, with no
// later pass to come, and deletes the file. The spool still has it, as spool_keep
// is not over, and the code brings it.
func TestDeletedFileComesBackFromTheSpool(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: 2000, Length: 3000}}})
	g.sender("prod", link.Addr().String(), "100Mbit", "--burst", "10ms")
	g.edit(g.path("prod.toml"), "passes = 3", "passes = 1")
	g.edit(g.path("prod.toml"), `spool = "none"`, `spool = "copy"`)
	src := g.tree("src", 10e6, 10)
	want, err := os.ReadFile(filepath.Join(src, "large"))
	if err != nil {
		t.Fatal(err)
	}
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	if err := os.Remove(filepath.Join(src, "large")); err != nil {
		t.Fatal(err)
	}
	if said := g.resend(0, g.missing().Codes[0].Code); !strings.Contains(said, "Sent again: prod/etc/") {
		t.Errorf("resend says %s", said)
	}
	g.waitWhole(1)
	dest := g.path("restored")
	g.must("weir-vault", "restore", "prod/etc/latest", dest, "--vault", g.path("vault"))
	if got, err := os.ReadFile(filepath.Join(dest, "large")); err != nil || string(got) != string(want) {
		t.Errorf("what was restored differs: %v", err)
	}
}
