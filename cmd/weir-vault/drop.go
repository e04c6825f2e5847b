package main

import (
	"github.com/spf13/cobra"

	"weir/internal/vault"
)

func dropCommand(p *place) *cobra.Command {
	var how vault.DropRequest
	cmd := &cobra.Command{
		Use: "drop SNAPSHOT", Short: dropShort, Long: dropLong, Example: dropExample, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, found, err := p.find(args[0])
			if err != nil {
				return err
			}
			if err := p.ask(cmd.Context(), vault.ActionDrop, found.Ref(), how, nil); err != nil {
				return err
			}
			cmd.PrintErrf(dropDone, found.Ref())
			return nil
		},
	}
	cmd.Flags().BoolVar(&how.Free, "free", false, dropFreeFlag)
	return cmd
}
