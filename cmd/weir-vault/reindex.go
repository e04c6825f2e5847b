package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/vault"
)

func reindexCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "reindex", Short: reindexShort, Long: reindexLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, opt, err := p.holder()
			if err != nil {
				return err
			}
			n, err := vault.Reindex(dir, opt)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), reindexDone, count.Of(n, "object"))
			return nil
		},
	}
}
