package main

import (
	"encoding/json"

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
			dir, opt, err := p.holder()
			if err != nil {
				return err
			}
			detail, err := json.Marshal(how)
			if err != nil {
				return err
			}
			r := vault.Request{Action: vault.ActionDrop, Snapshot: found.Ref(), Detail: detail}
			if err := vault.Ask(cmd.Context(), dir, opt, r, nil); err != nil {
				return err
			}
			cmd.PrintErrf(dropDone, found.Ref())
			return nil
		},
	}
	cmd.Flags().BoolVar(&how.Free, "free", false, dropFreeFlag)
	return cmd
}
