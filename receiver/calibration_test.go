package receiver

import (
	"reflect"
	"testing"
	"time"

	"weir/protocol"
)

func TestLossIsOfTheStepThatItFellInto(t *testing.T) {
	c := newCalibration(&protocol.Calibration{First: 100, Steps: []protocol.CalibrationStep{{Rate: 1, Frames: 10}, {Rate: 2, Frames: 20}, {Rate: 3, Frames: 5}}})
	for _, lost := range [][2]uint64{{1, 5}, {98, 4}, {105, 1}, {106, 2}, {108, 4}, {129, 3}, {134, 100}, {1 << 50, 1 << 50}} {
		c.lose(lost[0], lost[1])
	}
	want := []StepResult{
		{Rate: 1, Frames: 10, Lost: 2 + 1 + 2 + 2, Longest: 5}, // 100-101, 105-109
		{Rate: 2, Frames: 20, Lost: 2 + 1, Longest: 2},         // 110-111, 129
		{Rate: 3, Frames: 5, Lost: 2 + 1, Longest: 2},          // 130-131, 134
	}
	if c.end != 135 || !reflect.DeepEqual(c.steps, want) {
		t.Errorf("%+v, want %+v", c.steps, want)
	}
	var none *calibration
	none.lose(1, 1)
}

// TestCalibrationIsCounted from the record to the callback, with frames lost.
func TestCalibrationIsCounted(t *testing.T) {
	g := newRig(t)
	var got []Calibrated
	g.r.cfg.Calibrated = func(c Calibrated) { got = append(got, c) }
	per := uint64(rigGeometry.Symbols())
	record := protocol.AppendCalibration(nil, &protocol.Calibration{
		Session: g.sealer.Session(), First: per + 1, Steps: []protocol.CalibrationStep{{Rate: 1e6, Frames: per}, {Rate: 2e6, Frames: per}},
	})
	g.send(g.frames(rigGeometry, record))
	for g.r.queued.Load() > 0 || len(g.r.calibrations) == 0 {
		g.tick(0)
		if g.r.sessions[0].lanes.first().calibration != nil {
			break
		}
	}
	g.tick(0)
	g.send(g.frames(rigGeometry, record))
	second := g.frames(rigGeometry, record)
	g.send(second[:2])
	g.send(second[5:])
	if len(got) != 0 {
		t.Errorf("told before the end: %+v", got)
	}
	g.send(g.frames(rigGeometry, record))
	g.tick(blockIdle)
	g.tick(lossEvery)
	g.tick(lossEvery)
	if len(got) != 1 || got[0].Sender != "prod" || got[0].Steps[0].Lost != 0 || got[0].Steps[1] != (StepResult{Rate: 2e6, Frames: per, Lost: 3, Longest: 3}) {
		t.Errorf("%+v", got)
	}
	// One that comes after its frames cannot be counted.
	g.send(g.frames(rigGeometry, record))
	g.tick(blockIdle)
	g.tick(lossEvery)
	if len(got) != 1 {
		t.Errorf("counted twice: %+v", got)
	}
	g.close()
}

// TestPaceOfAStep is that of what came, without the pauses between steps.
func TestPaceOfAStep(t *testing.T) {
	c := newCalibration(&protocol.Calibration{First: 100, Steps: []protocol.CalibrationStep{{Rate: 1, Frames: 1000}, {Rate: 2, Frames: 1000}}})
	now := time.Unix(1e9, 0)
	for _, newest := range []uint64{50, 150, 350, 550, 750, 1060, 1099, 1099, 1099, 1150, 1550, 1950, 2099, 2150} {
		now = now.Add(100 * time.Millisecond)
		c.look(now, newest)
	}
	if got := [2]uint64{c.steps[0].Pace, c.steps[1].Pace}; got != [2]uint64{2275, 4000} {
		t.Errorf("%v frames a second", got)
	}
	var none *calibration
	none.look(now, 1)
}
