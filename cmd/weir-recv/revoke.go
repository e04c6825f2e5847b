package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
	"weir/internal/names"
	"weir/internal/vault"
)

func revokeCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: revokeUse, Short: revokeShort, Long: revokeLong, Example: revokeExample,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return revoke(cmd, *path, args[0], args[1]) },
	}
}

func revoke(cmd *cobra.Command, path, name, which string) error {
	if err := names.Check(name); err != nil {
		return exit.With(exit.Usage, err)
	}
	c, err := loadConfig(path)
	if err != nil {
		return err
	}
	text, err := trustedKey(c, name, which)
	if err != nil {
		return err
	}
	added, err := config.Revoke(path, config.TrustedSender{Name: name, Key: text})
	if err != nil {
		return usage(err)
	}
	if err := askVault(cmd, path, vault.SignersRequest{Revoke: []vault.Signer{signerOf(name, text)}}); err != nil {
		return fmt.Errorf(revokeHalf, path, err)
	}
	words := revokeKnown
	if added {
		words = revokeDone
	}
	cmd.PrintErrf(words, keys.Fingerprint(text), name)
	if c, err = loadConfig(path); err == nil && len(keysOf(c, name)) == 0 {
		cmd.PrintErrf(revokeLast, name)
	}
	return err
}

// trustedKey finds a key of a sender by its fingerprint or its text.
func trustedKey(c config.Receiver, name, which string) (string, error) {
	for _, s := range c.Senders {
		if s.Name == name && (s.Key == which || keys.Fingerprint(s.Key) == which) {
			return s.Key, nil
		}
	}
	return "", exit.With(exit.Usage, fmt.Errorf(revokeNone, name, which))
}

// keysOf returns the keys by which a sender is trusted.
func keysOf(c config.Receiver, name string) (all []string) {
	for _, s := range c.Trusted() {
		if s.Name == name {
			all = append(all, s.Key)
		}
	}
	return all
}
