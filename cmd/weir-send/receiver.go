package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/keys"
)

func receiverCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: receiverUse, Short: receiverShort, Long: receiverLong, Example: receiverExample, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(*path)
			if err != nil {
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
			r := control.Request{Action: control.SwitchReceiver, Key: text}
			if _, err = control.Ask(cmd.Context(), c.Socket, r, nil, control.Progress{}); errors.Is(err, control.ErrNoService) {
				return nil // the next one reads the configuration
			}
			if err != nil {
				return fmt.Errorf(receiverHalf, err)
			}
			cmd.PrintErr(receiverTold)
			return nil
		},
	}
}
