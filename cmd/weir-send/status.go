package main

import (
	"encoding/json"
	"os"

	"github.com/spf13/cobra"

	"weir/internal/control"
	"weir/internal/exit"
	"weir/internal/sending"
	"weir/internal/terminal"
)

func statusCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: statusShort, Long: statusLong, Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, listJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		var st sending.Status
		if err := ask(cmd.Context(), c, log, control.Request{Action: control.Status}, control.Progress{}, &st); err != nil {
			return err
		}
		if *asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(st)
		}
		sending.WriteText(cmd.OutOrStdout(), &st)
		return nil
	}
	return cmd
}
