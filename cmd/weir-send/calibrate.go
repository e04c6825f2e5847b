package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/sender"
)

func calibrateCommand(path *string) *cobra.Command {
	from, to := config.Rate(100e6), config.Rate(0)
	r := control.Calibration{}
	cmd := &cobra.Command{Use: "calibrate", Short: calibrateShort, Long: calibrateLong, Example: calibrateExample, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.TextVar(&from, "from", from, calibrateFromFlag)
	f.TextVar(&to, "to", to, calibrateToFlag)
	f.Lookup("to").DefValue = "" // none is shown
	f.IntVar(&r.Steps, "steps", 10, calibrateStepsFlag)
	f.Float64Var(&r.Seconds, "seconds", 2, calibrateSecondsFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		if to == 0 {
			to = c.Rate
		}
		if !cmd.Flags().Changed("from") {
			from = min(from, to)
		}
		r.From, r.To = uint64(from), uint64(to)
		cmd.PrintErrf(calibrateBegins, count.Of(r.Steps, "step"), from, to, r.Seconds)
		var missed sender.Missed
		if err := ask(cmd.Context(), c, log, control.Request{Action: control.Calibrate, Calibrate: &r}, control.Progress{}, &missed); err != nil {
			return err
		}
		if missed.Asked > 0 {
			hundredth := max(missed.Asked/100, 1)
			cmd.PrintErrf(calibrateMissed, config.Rate(missed.Asked), config.Rate(missed.Reached/hundredth*hundredth))
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), calibrateDone)
		return err
	}
	return cmd
}

// calibrate sends the pattern that was asked for.
func (s *service) calibrate(ctx context.Context, r *control.Calibration) (sender.Missed, error) {
	if r == nil {
		return sender.Missed{}, fmt.Errorf("%w: no pattern is given", sender.ErrJob)
	}
	each := time.Duration(min(max(r.Seconds, 0), sender.MaxCalibrationTime.Seconds()) * float64(time.Second))
	return s.sender.Calibrate(ctx, sender.Calibration{From: r.From, To: r.To, Steps: r.Steps, Time: each})
}
