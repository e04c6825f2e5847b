package e2e

import (
	"regexp"
	"testing"

	"github.com/dustin/go-humanize"

	"weir/internal/relay"
)

// planned is what weir-send plan says of memory.
var planned = regexp.MustCompile(`(?m)^memory +([0-9.]+ [KMG]iB) on the sender; ([0-9.]+ [KMG]iB) on the receiver, ([0-9.]+ [KMG]iB) where`)

// TestPlanKnowsTheMemory holds what plan says of both sides against what they take,
// on a link that loses and heals.
func TestPlanKnowsTheMemory(t *testing.T) {
	const memory = "160MiB" // four blocks; more wait only on a busy machine, and are refused
	for name, f := range map[string]relay.Faults{"clean": {}, "1 % lost": {Seed: 1, Loss: 0.01}} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.gigabit("prod", g.link(f).Addr().String())
			g.edit(g.path("receiver.toml"), `memory = "512MiB"`, `memory = "`+memory+`"`)
			src := g.tree("src", 200e6, 5) // five blocks
			g.startReceiver("--exit-after", "1")
			g.push("prod", "etc", 0, src)
			sender := g.peak
			if code := g.ended(g.recv); code != 0 {
				t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
			}
			said := planned.FindStringSubmatch(g.must("weir-send", "plan", "--size", "200MB", "--config", g.path("prod.toml")))
			if said == nil {
				t.Fatal("plan says nothing of memory")
			}
			within20(t, "sender", sender, said[1], said[1])
			within20(t, "receiver", g.recv.memory.peak.Load(), said[2], memory)
		})
	}
}

// within20 holds what a program took between two sizes that were said, a fifth
// around.
func within20(t *testing.T, who string, took int64, least, most string) {
	t.Helper()
	low, lerr := humanize.ParseBytes(least)
	high, herr := humanize.ParseBytes(most)
	if lerr != nil || herr != nil {
		t.Fatal(lerr, herr)
	}
	t.Logf("%s: %s of memory, %s to %s planned", who, humanize.IBytes(uint64(took)), least, most)
	if float64(took) < 0.8*float64(low) || float64(took) > 1.2*float64(high) {
		t.Errorf("that is not what plan says of the %s", who)
	}
}
