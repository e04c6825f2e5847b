package main

import (
	"weir/internal/event"
	"weir/internal/linkquality"
	"weir/receiver"
)

// calibrated logs what became of each step of a calibration, and what to set.
func (s *service) calibrated(c receiver.Calibrated) {
	var steps []linkquality.Step
	for i, r := range c.Steps {
		steps = append(steps, linkquality.Step(r))
		s.log.Info().Str(event.Field, event.CalibrationStep).Str("sender", c.Sender).Int("step", i+1).Uint64("rate", r.Rate).
			Uint64("frames", r.Frames).Uint64("lost", r.Lost).Uint64("longest", r.Longest).Uint64("pace", r.Pace).Msg("a step of a calibration")
	}
	highest, words := linkquality.Settings(steps, linkquality.Link{Sender: c.Sender, Rate: c.Params.Rate, Geometry: c.Params.Geometry})
	s.log.Info().Str(event.Field, event.CalibrationDone).Str("sender", c.Sender).Uint64("highest_rate", highest).Msg(words)
}
