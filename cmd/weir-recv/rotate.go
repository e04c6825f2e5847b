package main

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
	"weir/internal/vault"
)

func rotateCommand(path *string) *cobra.Command {
	var retire bool
	cmd := &cobra.Command{
		Use: "rotate-key", Short: rotateShort, Long: rotateLong, Example: rotateExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(*path)
			if err != nil {
				return err
			}
			if len(c.Keys) > 1 {
				return exit.With(exit.Usage, fmt.Errorf(rotateList, c.File))
			}
			if retire {
				return retireKey(cmd, c)
			}
			return rotateKey(cmd, c)
		},
	}
	cmd.Flags().BoolVar(&retire, "retire", false, retireFlag)
	return cmd
}

// rotateKey puts a new key in the place of the present one, which stays beside it.
func rotateKey(cmd *cobra.Command, c config.Receiver) error {
	path := c.Keys[0]
	if _, err := keys.LoadReceiver(path); err != nil {
		return err
	}
	err := keys.Prepare(path, func(next string) (err error) {
		_, err = keys.NewReceiver(next)
		return err
	})
	if errors.Is(err, keys.ErrExists) {
		return fmt.Errorf(rotateTwice, path+keys.OldSuffix)
	}
	if err == nil {
		err = keys.Switch(path)
	}
	if err != nil {
		return err
	}
	key, err := keys.LoadReceiver(path)
	if err != nil {
		return err
	}
	return printRotated(cmd, c, key)
}

// printRotated tells of the new key, and a receiver that runs in any case: weir-recv
// key prints it again.
func printRotated(cmd *cobra.Command, c config.Receiver, key hpke.PrivateKey) error {
	text := keys.ReceiverText(key.PublicKey())
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	cmd.PrintErrf(rotateDone, keys.Fingerprint(text), c.Keys[0]+keys.OldSuffix)
	return errors.Join(err, tellHolder(cmd, c, vault.SignersRequest{Reload: true}))
}

// retireKey removes the key that was replaced.
func retireKey(cmd *cobra.Command, c config.Receiver) error {
	path := c.Keys[0] + keys.OldSuffix
	err := keys.Destroy(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(retireNone, path)
	}
	if err != nil {
		return err
	}
	cmd.PrintErrf(retireDone, path)
	return tellHolder(cmd, c, vault.SignersRequest{Reload: true})
}
