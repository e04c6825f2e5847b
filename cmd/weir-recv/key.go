package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/attestation"
	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
)

func keyCommand(path *string) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: keyShort, Long: keyLong, Args: cobra.NoArgs}
	attests := cmd.Flags().Bool("attestation", false, attestationFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		if *attests {
			return printSigner(cmd, c)
		}
		key, err := keys.LoadReceiver(c.Keys[0])
		if err != nil {
			return err
		}
		text := keys.ReceiverText(key.PublicKey())
		cmd.PrintErrf(keyDone, keys.Fingerprint(text))
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}

// printSigner prints the line by which ssh-keygen checks attestations.
func printSigner(cmd *cobra.Command, c config.Receiver) error {
	key, err := keys.Attestation(c.AttestationKey)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), attestation.SignerLine(key.Public().(ed25519.PublicKey)))
	return err
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
