package protocol

// Calibration says at which rates the frames of a session leave that follow, so
// that a receiver can tell at which of them some are lost.
type Calibration struct {
	Session SessionID         // that it is about, which is the one it travels in
	First   uint64            // sequence of the first frame of the first step
	Steps   []CalibrationStep // one after the other, without gaps in the sequence
}

// CalibrationStep is a run of frames that leave at one rate.
type CalibrationStep struct {
	Rate   uint64 // bits a second on the wire
	Frames uint64
}

// MaxCalibrationSteps bounds the steps, and maxCalibrationFrames the frames of one.
const (
	MaxCalibrationSteps  = 64
	maxCalibrationFrames = 1 << 40
)

const (
	calibrationHead = 8 + 8 + 1
	calibrationStep = 8 + 8
)

// CalibrationSize returns the bytes that the record of c takes in a block.
func CalibrationSize(c *Calibration) int {
	return RecordHeaderSize + calibrationHead + len(c.Steps)*calibrationStep
}

// AppendCalibration appends the record of c, which has at most
// MaxCalibrationSteps steps.
func AppendCalibration(b []byte, c *Calibration) []byte {
	b = AppendRecordHeader(b, RecordCalibration, CalibrationSize(c)-RecordHeaderSize)
	b = append(b, c.Session[:]...)
	b = be.AppendUint64(b, c.First)
	b = append(b, byte(len(c.Steps)))
	for _, s := range c.Steps {
		b = be.AppendUint64(b, s.Rate)
		b = be.AppendUint64(b, s.Frames)
	}
	return b
}

// ParseCalibration reads the body of a Calibration record; ErrRecord if it is not
// well formed.
func ParseCalibration(body []byte) (Calibration, error) {
	f := fields{rest: body}
	var c Calibration
	copy(c.Session[:], f.take(len(c.Session)))
	c.First = f.uint64()
	n := int(f.uint8())
	if f.bad || n == 0 || n > MaxCalibrationSteps || c.First == 0 || c.First > maxCalibrationFrames || len(f.rest) != n*calibrationStep {
		return Calibration{}, ErrRecord
	}
	c.Steps = make([]CalibrationStep, n)
	for i := range c.Steps {
		s := CalibrationStep{f.uint64(), f.uint64()}
		f.bad = f.bad || s.Rate == 0 || s.Frames == 0 || s.Frames > maxCalibrationFrames
		c.Steps[i] = s
	}
	return c, f.end()
}
