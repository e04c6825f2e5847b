package sender

import (
	"errors"
	"testing"
	"time"
)

func TestCalibrationsThatCannotBe(t *testing.T) {
	good := Calibration{From: 1e8, To: 1e9, Steps: 10, Time: 2 * time.Second}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for i, want := range []uint64{1e8, 2e8, 3e8, 4e8, 5e8, 6e8, 7e8, 8e8, 9e8, 1e9} {
		if got := good.rate(i); got != want {
			t.Errorf("step %d at %d, want %d", i+1, got, want)
		}
	}
	for _, change := range []func(*Calibration){
		func(c *Calibration) { c.From = 0 },
		func(c *Calibration) { c.To = c.From - 1 },
		func(c *Calibration) { c.Steps = 0 },
		func(c *Calibration) { c.Steps = 65 },
		func(c *Calibration) { c.Time = 0 },
		func(c *Calibration) { c.Time = 2 * time.Minute },
	} {
		c := good
		change(&c)
		if err := c.check(); !errors.Is(err, ErrJob) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
