package main

import (
	"errors"

	"github.com/spf13/cobra"

	"weir/internal/exit"
	"weir/internal/inspection"
	"weir/internal/inspection/outbound"
)

func checkCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{Use: "check", Short: checkShort, Long: checkLong, Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, jsonFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		var report inspection.Report
		for _, l := range c.Lanes {
			lane, err := outbound.Inspect(outbound.Config{
				To: l.Address, MTU: c.MTU, Rate: int64(c.Rate) / int64(len(c.Lanes)), Key: c.Key,
				Memory: int64(c.Memory), Buffer: outbound.Buffer, Offload: c.Offload,
			})
			if err != nil {
				return err
			}
			report.Join(lane)
		}
		if err := report.Write(cmd.OutOrStdout(), *asJSON); err != nil {
			return err
		}
		if report.Count(inspection.Bad) > 0 {
			return exit.With(exit.Damaged, errors.New(checkBad))
		}
		return nil
	}
	return cmd
}
