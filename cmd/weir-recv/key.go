package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
)

func keyCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: keyShort, Long: keyLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(*path)
			if err != nil {
				return err
			}
			key, err := keys.LoadReceiver(c.Keys[0])
			if err != nil {
				return err
			}
			text := keys.ReceiverText(key.PublicKey())
			cmd.PrintErrf(keyDone, keys.Fingerprint(text))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// loadConfig reads the configuration; one with errors in it is Usage.
func loadConfig(path string) (config.Receiver, error) {
	c, err := config.LoadReceiver(path)
	return c, usage(err)
}

func usage(err error) error {
	if errors.Is(err, config.ErrInvalid) {
		return exit.With(exit.Usage, err)
	}
	return err
}
