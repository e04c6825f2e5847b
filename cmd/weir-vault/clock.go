package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/vault"
)

func clockCommand(p *place) *cobra.Command {
	var ask vault.ClockRequest
	cmd := &cobra.Command{Use: "clock", Short: clockShort, Long: clockLong, Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&ask.Confirm, "confirm", false, clockConfirmFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var r vault.ClockResult
		if err := p.ask(cmd.Context(), vault.ActionClock, "", ask, &r); err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, clockTimes, r.Vault.Format(time.RFC3339), r.Host.Format(time.RFC3339))
		switch {
		case r.Confirmed:
			fmt.Fprint(w, clockConfirmed)
		case r.Doubt:
			fmt.Fprintf(w, clockDoubt, r.Until.Format(time.RFC3339))
		}
		return nil
	}
	return cmd
}
