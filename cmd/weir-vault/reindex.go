package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/terminal"
	"weir/internal/vault"
)

func reindexCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "reindex", Short: reindexShort, Long: reindexLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := p.dir()
			if err != nil {
				return err
			}
			if _, err := vault.List(dir); err != nil {
				return err
			}
			log, err := terminal.NewScreen(os.Stderr).Logger("warn", terminal.Auto)
			if err != nil {
				return err
			}
			n, err := vault.Reindex(dir, vault.Options{Log: log})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), reindexDone, humanize.Comma(int64(n)))
			return nil
		},
	}
}
