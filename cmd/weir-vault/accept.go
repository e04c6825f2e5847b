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
			if err := p.ask(cmd.Context(), vault.ActionAccept, found.Ref(), nil, nil); err != nil {
				return err
			}
			cmd.PrintErrf(acceptDone, found.Ref())
			return nil
		},
	}
}
