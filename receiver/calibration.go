package receiver

import (
	"time"

	"weir/protocol"
)

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
	Pace    uint64 // frames a second that came or were lost, 0 if that could not be seen
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
	pace       stepPace
}

// stepPace is how quickly the sequences of a step went by, as seen at each Tick.
type stepPace struct {
	step       int
	from, upTo sighting // the first, and the last but one: after the last the step may have ended
	latest     sighting
}

type sighting struct {
	at  time.Time
	seq uint64
}

// look notes where the link is at a Tick. A nil calibration notes nothing.
func (c *calibration) look(now time.Time, newest uint64) {
	if c == nil {
		return
	}
	begin := c.first
	for i := range c.steps {
		if end := begin + c.steps[i].Frames; newest >= begin && newest < end {
			c.steps[i].Pace = c.pace.look(i, sighting{now, newest})
			return
		}
		begin += c.steps[i].Frames
	}
}

// look returns the pace of a step, up to now.
func (p *stepPace) look(step int, s sighting) uint64 {
	switch {
	case p.from.at.IsZero() || step != p.step:
		*p = stepPace{step: step, from: s, upTo: s, latest: s}
	case s.seq > p.latest.seq: // else there is a pause
		p.upTo, p.latest = p.latest, s
	}
	took := p.upTo.at.Sub(p.from.at)
	if took <= 0 {
		return 0
	}
	return uint64(float64(p.upTo.seq-p.from.seq) / took.Seconds())
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
		c.look(r.now, l.newest)
		if c == nil || l.decided+1 < c.end {
			continue
		}
		l.calibration = nil
		if r.cfg.Calibrated != nil {
			r.cfg.Calibrated(Calibrated{Sender: s.sender.name, Params: s.params, Steps: c.steps})
		}
	}
}
