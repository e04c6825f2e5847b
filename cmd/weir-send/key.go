package main

import (
	"crypto/ed25519"
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
			key, err := keys.LoadSender(c.Key)
			if err != nil {
				return err
			}
			text := keys.SenderText(key.Public().(ed25519.PublicKey))
			cmd.PrintErrf(keyDone, keys.Fingerprint(text))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// loadConfig reads the configuration; one with errors in it is Usage.
func loadConfig(path string) (config.Sender, error) {
	c, err := config.LoadSender(path)
	if errors.Is(err, config.ErrInvalid) {
		err = exit.With(exit.Usage, err)
	}
	return c, err
}
