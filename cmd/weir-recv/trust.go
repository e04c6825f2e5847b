package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keyoffer"
	"weir/internal/keys"
	"weir/internal/names"
	"weir/internal/vault"
)

// trustOptions is what a new key is trusted by.
type trustOptions struct {
	offered string // fingerprint of what the sender offers
	further bool   // beside the keys that the name has
}

func trustCommand(path *string) *cobra.Command {
	var o trustOptions
	cmd := &cobra.Command{
		Use: trustUse, Short: trustShort, Long: trustLong, Example: trustExample,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return trust(cmd, *path, args, o) },
	}
	cmd.Flags().StringVar(&o.offered, "offered", "", offeredFlag)
	cmd.Flags().BoolVar(&o.further, "further", false, furtherFlag)
	return cmd
}

func trust(cmd *cobra.Command, path string, args []string, o trustOptions) error {
	name := args[0]
	if err := names.Check(name); err != nil {
		return exit.With(exit.Usage, err)
	}
	if (len(args) == 2) == (o.offered != "") {
		return exit.With(exit.Usage, errors.New(trustWhat))
	}
	c, err := loadConfig(path)
	if err != nil {
		return err
	}
	text, err := keyToTrust(cmd, c, args, o.offered)
	if err != nil {
		return err
	}
	added, err := config.AddSender(path, config.TrustedSender{Name: name, Key: text}, o.further || o.offered != "")
	if err != nil {
		return usage(err)
	}
	words := trustKnown
	if added {
		words = trustDone
	}
	cmd.PrintErrf(words, name, keys.Fingerprint(text), path)
	if o.offered != "" {
		cmd.PrintErrf(trustSwitch, keys.Fingerprint(text))
	}
	// Again also for one that is known: the last time may have ended here.
	return tellHolder(cmd, c, vault.SignersRequest{Trust: []vault.Signer{signerOf(name, text)}})
}

// keyToTrust returns the text of the key that is given, or of the one that is
// offered and has the fingerprint.
func keyToTrust(cmd *cobra.Command, c config.Receiver, args []string, offered string) (string, error) {
	if offered != "" {
		return offeredKey(c.Vault, args[0], offered)
	}
	text, err := keys.ReadText(args[1], cmd.InOrStdin())
	if err != nil {
		return "", err
	}
	pub, err := keys.ParseSender(text)
	if err != nil {
		return "", exit.With(exit.Usage, fmt.Errorf("%w; give the line that `weir-send init` printed", err))
	}
	return keys.SenderText(pub), nil
}

// offeredKey returns the key that a sender offers, if it is the one whose
// fingerprint somebody has read at the sender.
func offeredKey(dir, name, fingerprint string) (string, error) {
	o, err := keyoffer.Read(dir, name)
	if errors.Is(err, keyoffer.ErrNone) {
		return "", fmt.Errorf(noOffer, name)
	}
	if err != nil {
		return "", err
	}
	if o.Fingerprint() != fingerprint {
		return "", fmt.Errorf(otherOffer, name, o.Fingerprint(), fingerprint)
	}
	return o.Key, nil
}
