package main

import (
	"github.com/spf13/cobra"

	"weir/internal/vault"
)

func acceptCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use: acceptUse, Short: acceptShort, Long: acceptLong, Example: acceptExample, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, found, err := p.find(args[0])
			if err != nil {
				return err
			}
			dir, opt, err := p.holder()
			if err != nil {
				return err
			}
			r := vault.Request{Action: vault.ActionAccept, Snapshot: found.Ref()}
			if err := vault.Ask(cmd.Context(), dir, opt, r, nil); err != nil {
				return err
			}
			cmd.PrintErrf(acceptDone, found.Ref())
			return nil
		},
	}
}
