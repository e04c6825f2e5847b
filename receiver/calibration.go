package receiver

import "weir/protocol"

// Calibrated is what became of the frames of a calibration.
type Calibrated struct {
	Sender string
	Params protocol.Params // of the session
	Steps  []StepResult
}

// StepResult is what became of the frames that left at one rate.
type StepResult struct {
	Rate    uint64 // bits a second on the wire
	Frames  uint64 // that left
	Lost    uint64 // of them
	Longest uint64 // frames lost in a row
}

// maxCalibrationNotes bounds the records that wait for Tick. All of a calibration
// say the same, so what does not fit is no loss.
const maxCalibrationNotes = 16

// calibrationNote is a record, on its way from the worker to Tick.
type calibrationNote struct {
	sender string
	protocol.Calibration
}

// calibration counts what is lost of the frames of each step. A nil one counts
// nothing.
type calibration struct {
	first, end uint64 // sequences; end is behind the last
	steps      []StepResult
	last, run  uint64 // the last sequence that was lost, and how many up to there in a row
}

func newCalibration(c *protocol.Calibration) *calibration {
	out := &calibration{first: c.First, end: c.First}
	for _, s := range c.Steps {
		out.steps = append(out.steps, StepResult{Rate: s.Rate, Frames: s.Frames})
		out.end += s.Frames
	}
	return out
}

// lose counts n sequences from the given one on as lost.
func (c *calibration) lose(from, n uint64) {
	if c == nil {
		return
	}
	begin := c.first
	for i := range c.steps {
		s := &c.steps[i]
		end := begin + s.Frames
		if lo, hi := max(from, begin), min(from+n, end); lo < hi {
			if c.last+1 != lo || lo == begin {
				c.run = 0
			}
			c.run += hi - lo
			c.last = hi - 1
			s.Lost, s.Longest = s.Lost+hi-lo, max(s.Longest, c.run)
		}
		begin = end
	}
}

// calibration hands a record to the thread that counts.
func (d *delivery) calibration(body []byte) error {
	c, err := protocol.ParseCalibration(body)
	if err != nil {
		return err
	}
	select {
	case d.worker.calibrations <- calibrationNote{d.sender, c}:
	default:
	}
	return nil
}

// calibrate begins to count where a record asks for it, and tells of what is
// counted to the end.
func (r *Receiver) calibrate() {
	for len(r.calibrations) > 0 {
		c := <-r.calibrations
		s := r.find(c.Session)
		// One whose frames have come already cannot be counted any more.
		if s == nil || s.sender.name != c.sender || s.lanes.first().calibration != nil || s.lanes.first().decided >= c.First {
			continue
		}
		s.lanes.first().calibration = newCalibration(&c.Calibration)
	}
	for _, s := range r.sessions {
		l := s.lanes.first()
		c := l.calibration
		if c == nil || l.decided+1 < c.end {
			continue
		}
		l.calibration = nil
		if r.cfg.Calibrated != nil {
			r.cfg.Calibrated(Calibrated{Sender: s.sender.name, Params: s.params, Steps: c.steps})
		}
	}
}
