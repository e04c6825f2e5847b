package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/relay"
)

// TestCalibrationFindsTheRate: a link that loses some of what comes late, which is
// what comes fast, shows at which rate that begins; alone and through the service.
func TestCalibrationFindsTheRate(t *testing.T) {
	g := newRig(t)
	// The first step has 660 frames, the second 1980, beside some hundred others.
	late := func(number uint64, _ []byte) bool { return number > 3000 && number < 5200 && number%40 == 0 }
	link := g.link(relay.Faults{Drop: late})
	g.sender("prod", link.Addr().String(), "20Mbit")
	g.startReceiver()
	calibrate := func() string {
		t.Helper()
		out, errs, code := g.run("weir-send", "calibrate", "--config", g.path("prod.toml"), "--from", "20Mbit", "--to", "80Mbit", "--steps", "3", "--seconds", "0.5")
		if code != 0 || !strings.Contains(out, "calibration-done") {
			t.Fatalf("calibrate ended with %d:\n%s%s", code, out, errs)
		}
		return out
	}
	calibrate()
	g.waitLog(g.recv, `"event":"calibration-done"`)
	steps := g.steps()
	if len(steps) != 3 || steps[0].Frames != 660 || steps[1].Frames != 1980 || steps[0].Lost != 0 || steps[1].Lost != 0 || steps[2].Lost < 30 || steps[2].Longest != 1 {
		t.Errorf("%+v\n%s", steps, g.recv.log())
	}
	// A host that is busy does not reach 50 Mbit/s, which is seen too.
	if highest := g.highest(); highest < 25e6 || highest > 50e6 {
		t.Errorf("another rate was found, %d:\n%s", highest, g.recv.log())
	}
	run := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitLog(run, `"event":"started"`)
	calibrate()
	g.waitLog(g.recv, `nothing was lost at any step`)
	g.push("prod", "etc", 0, g.tree("src", 100_000, 3))
	g.waitWhole(1)
	g.stop(run)
	g.stop(g.recv)
}

type calibrated struct {
	Event                       string
	Step                        int
	Rate, Frames, Lost, Longest uint64
	HighestRate                 uint64 `json:"highest_rate"`
}

// highest returns the rate that the latest calibration found.
func (g *rig) highest() (rate uint64) {
	for _, c := range g.calibrations("calibration-done") {
		rate = c.HighestRate
	}
	return rate
}

// steps returns what the receiver has logged about calibrations.
func (g *rig) steps() []calibrated { return g.calibrations("calibration-step") }

func (g *rig) calibrations(event string) (all []calibrated) {
	for line := range strings.Lines(g.recv.log()) {
		var c calibrated
		if json.Unmarshal([]byte(line), &c) == nil && c.Event == event {
			all = append(all, c)
		}
	}
	return all
}
