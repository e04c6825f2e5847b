package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestNewDataDuringPasses measures how much of the idle link passes use, and for how
// long new data waits while they do: pushes of a small file, through the service,
// beside the same pushes on an idle link.
func TestNewDataDuringPasses(t *testing.T) {
	for _, l := range []struct {
		rate  string
		bits  float64
		giant int
		least float64 // that a pass uses of the link
	}{
		{"100Mbit", 100e6, 300 << 20, 0.8}, // little for the machine, so that only the link makes anybody wait
		{"1Gbit", 1e9, 1800 << 20, 0.5},    // two processors carry both ends and the link
	} {
		t.Run(l.rate, func(t *testing.T) { newDataDuringPasses(t, l.rate, l.bits, l.giant, l.least) })
	}
}

func newDataDuringPasses(t *testing.T, rate string, bits float64, size int, least float64) {
	g := newLongRig(t)
	g.sender("prod", g.listen, rate, "--burst", "50ms")
	conf := g.path("prod.toml")
	g.edit(conf, `pass_spacing = "1h"`, `pass_spacing = "30s"`)
	small := g.path("small")
	write(t, small, 20_000)
	giant(t, g.path("giant"), size)
	g.startReceiver()
	service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", conf)
	g.waitLog(service, `"event":"started"`)
	idle := g.pushes(small)
	g.push("prod", "large", 0, g.path("giant"))
	g.wait(func() bool { return g.wireRate(time.Second)*8 > bits/4 }, func() string { return "a pass of the giant in:\n" + service.log() })
	use := g.wireRate(4*time.Second) * 8 / bits
	busy := g.pushes(small)
	if sent := regexp.MustCompile(`"event":"pass-sent","snapshot":"prod/large/`); sent.MatchString(service.log()) {
		t.Fatalf("the pass was over before all was measured:\n%s", service.log())
	}
	t.Logf("a pass uses %.0f %% of the link; a push takes %v on the idle link, %v during a pass (quickest, median, slowest)", 100*use, idle, busy)
	if use < least {
		t.Errorf("the pass uses %.0f %% of the link", 100*use)
	}
	if late := busy[1] - idle[1]; late > 250*time.Millisecond {
		t.Errorf("new data waits %v longer", late)
	}
	g.stop(service)
}

// pushes measures pushes of a file.
func (g *rig) pushes(path string) (took [3]time.Duration) {
	g.t.Helper()
	var all []time.Duration
	for range 20 {
		begun := time.Now()
		g.push("prod", "small", 0, path)
		all = append(all, time.Since(begun).Round(time.Millisecond))
	}
	slices.Sort(all)
	return [3]time.Duration{all[0], all[len(all)/2], all[len(all)-1]}
}

// wireRate returns the bytes a second that leave, over some time.
func (g *rig) wireRate(over time.Duration) float64 {
	g.t.Helper()
	begun, before := time.Now(), g.wire()
	time.Sleep(over)
	return float64(g.wire()-before) / time.Since(begun).Seconds()
}

// wire returns what weir-send status says has left, in bytes.
func (g *rig) wire() uint64 {
	g.t.Helper()
	var s struct {
		Link struct {
			Wire uint64 `json:"wire_bytes"`
		} `json:"link"`
	}
	out := g.must("weir-send", "status", "--json", "--config", g.path("prod.toml"))
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Link.Wire == 0 {
		g.t.Fatal(fmt.Sprint(err), out)
	}
	return s.Link.Wire
}
