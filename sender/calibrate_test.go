package sender

import (
	"errors"
	"testing"
	"testing/synctest"
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

// slow is a link to nobody that takes some time for each batch.
type slow time.Duration

func (s slow) Send([]byte, int) error {
	time.Sleep(time.Duration(s))
	return nil
}

// A host that cannot send as quickly as a step should says so: the receiver would take
// the link for better than it is.
func TestCalibrationThatIsTooSlow(t *testing.T) {
	for pause, want := range map[slow]uint64{0: 0, slow(4 * time.Millisecond): 505e5} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Rate, c.Link = 100e6, pause })
			missed, err := r.Calibrate(t.Context(), Calibration{From: 1e6, To: 100e6, Steps: 3, Time: time.Second})
			must(t, err)
			if missed.Asked != want || missed.Reached > want/100*pacedPercent {
				t.Errorf("with a pause of %v: %+v", time.Duration(pause), missed)
			}
		})
	}
}
