package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/relay"
)

// cut20ms is how many frames of 1538 bytes on the wire an outage of 20 ms costs
// at 1 Gbit/s.
const cut20ms = 1626

// TestHealsWithoutASecondPass sends once over links that parity must heal.
func TestHealsWithoutASecondPass(t *testing.T) {
	for name, f := range map[string]relay.Faults{
		"1 % at random":                  {Seed: 1, Loss: 0.01},
		"a cut of 20 ms":                 {Cuts: []relay.Cut{{From: 12345, Length: cut20ms}}},
		"a cut at the start":             {Cuts: []relay.Cut{{From: 1, Length: 15}}},
		"a cut at the end":               {Drop: cutBeforeTail(60e6, cut20ms)},
		"bursts at random":               {Seed: 5, Bursts: relay.Bursts{Enter: 0.0002, Leave: 0.05, LossBad: 1}},
		"6 of 512, anywhere":             {Drop: func(n uint64, _ []byte) bool { return n%512 < 6 }},
		"duplicates, reordering, damage": {Seed: 2, Loss: 0.002, Duplicate: 0.05, Reorder: 0.05, ReorderBy: 200, Corrupt: 0.002, Truncate: 0.002},
	} {
		t.Run(name, func(t *testing.T) { healOnce(t, f, 60e6) })
	}
}

// cutBeforeTail drops a run of frames that ends where the snapshot ends the first
// time, so that nothing but the repeated tail can heal it.
func cutBeforeTail(bytes, length int) func(uint64, []byte) bool {
	const dataFrame = 1408
	end := uint64(float64(bytes)/dataFrame*1.1) + 60
	return func(n uint64, _ []byte) bool { return n+uint64(length) > end && n <= end }
}

func healOnce(t *testing.T, f relay.Faults, large int) {
	g := newRig(t)
	link := g.link(f)
	g.gigabit("prod", link.Addr().String())
	src := g.tree("src", large, 50)
	g.startReceiver("--exit-after", "1", "--exit-idle", "10s")
	g.push("prod", "etc", 0, src)
	if code := g.ended(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d, link %+v:\n%s", code, link.Counts(), g.recv.log())
	}
	if c := link.Counts(); c.KernelDrops > 0 {
		t.Logf("the relay itself was too slow and lost %d", c.KernelDrops)
	}
	g.modest(g.peak)
	g.check("prod/etc/latest", src)
}

// maxMemory is what either side may take at default settings for 1 Gbit/s.
const maxMemory = 300 << 20

// modest holds the memory of the sender, and of the receiver, which has ended.
func (g *rig) modest(sender int64) {
	g.t.Helper()
	receiver := g.recv.memory.peak.Load()
	if sender == 0 || receiver == 0 || sender > maxMemory || receiver > maxMemory {
		g.t.Errorf("the sender took %d MiB, the receiver %d MiB", sender>>20, receiver>>20)
	}
}

// TestLossBeyondParityIsNamed loses 5,000 frames in a row: the file that they
// carried is not whole and every other one is. A second push fills the hole.
func TestLossBeyondParityIsNamed(t *testing.T) { fiveThousandLost(t, 60e6, 20000) }

func fiveThousandLost(t *testing.T, large int, at uint64) {
	g := newRig(t)
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: at, Length: 5000}}})
	g.gigabit("prod", link.Addr().String())
	src := g.tree("src", large, 50)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	p := g.list()[0]
	if p.State != "partial" || p.MissingFiles != 1 || p.MissingBytes < 1000*1408 || p.MissingBytes > 5000*1408 || p.Files != 51 {
		t.Fatalf("listed as %+v", p)
	}
	out, _, code := g.run("weir-vault", "missing", "prod/etc@1", "--vault", g.path("vault"))
	if code != 3 || !strings.HasPrefix(out, `"large" `) || !strings.Contains(out, "weir-send resend ") {
		t.Fatalf("missing ended with %d and says %s", code, out)
	}
	if _, errs, code := g.run("weir-vault", "verify", "--all", "--vault", g.path("vault")); code != 3 {
		t.Fatalf("verify ended with %d: %s", code, errs)
	}
	if _, errs, code := g.run("weir-vault", "restore", "prod/etc@1", g.path("no"), "--vault", g.path("vault")); code != 3 || !strings.Contains(errs, "--partial") {
		t.Fatalf("restore of a partial snapshot ended with %d: %s", code, errs)
	}
	g.push("prod", "etc", 0, src)
	g.waitWhole(2) // the first one too: its hole is filled
	g.check("prod/etc@1", src)
	g.check("prod/etc@2", src)
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d", code)
	}
}

// TestPartialRestoreGivesWhatThereIs restores the files beside a lost one.
func TestPartialRestoreGivesWhatThereIs(t *testing.T) {
	g := newRig(t)
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: 10000, Length: 5000}}})
	g.gigabit("prod", link.Addr().String())
	src := g.tree("src", 60e6, 20)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	dest := g.path("restored")
	if _, errs, code := g.run("weir-vault", "restore", "--partial", "prod/etc@1", dest, "--vault", g.path("vault")); code != 3 {
		t.Fatalf("restore --partial ended with %d: %s", code, errs)
	}
	for _, name := range []string{"small/0", "small/19"} {
		want, _ := os.ReadFile(filepath.Join(src, name))
		if got, err := os.ReadFile(filepath.Join(dest, name)); err != nil || string(got) != string(want) {
			t.Errorf("%s was not restored: %v", name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dest, "large")); err == nil {
		t.Error("a file that is not whole stands under its own name")
	}
}
