package main

import (
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/keys"
)

func receiverCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: receiverUse, Short: receiverShort, Long: receiverLong, Example: receiverExample, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := loadConfig(*path); err != nil {
				return err
			}
			text, err := receiverKey(cmd, args[0])
			if err != nil {
				return err
			}
			if err := config.SetReceiver(*path, text); err != nil {
				return err
			}
			cmd.PrintErrf(receiverDone, *path, keys.Fingerprint(text))
			return nil
		},
	}
}
