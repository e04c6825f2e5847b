package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/keyoffer"
	"weir/internal/keys"
	"weir/internal/vault"
)

func sendersCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "senders", Short: sendersShort, Long: sendersLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(*path)
			if err != nil {
				return err
			}
			return printSenders(cmd.OutOrStdout(), c)
		},
	}
}

func printSenders(w io.Writer, c config.Receiver) error {
	revoked := vault.RevokedKeys(c.Vault)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, sendersHead)
	for _, s := range c.Trusted() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, keys.Fingerprint(s.Key), sendersTrusted)
	}
	for _, name := range c.SenderNames() {
		o, err := keyoffer.Read(c.Vault, name)
		if errors.Is(err, keyoffer.ErrNone) || err == nil && isKnown(c, o.Key) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, o.Fingerprint(), fmt.Sprintf(sendersOffered, o.Received.Format(time.RFC3339), name, o.Fingerprint()))
	}
	for _, s := range c.Revoked {
		words := sendersRevoked
		pub, err := keys.ParseSender(s.Key)
		if at, ok := revoked.When(pub); ok && err == nil {
			words = fmt.Sprintf(sendersRevokedAt, at.Format(time.RFC3339))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, keys.Fingerprint(s.Key), words)
	}
	return t.Flush()
}

// isKnown reports whether a key is trusted or revoked: then nobody need accept it.
func isKnown(c config.Receiver, key string) bool {
	for _, list := range [][]config.TrustedSender{c.Senders, c.Revoked} {
		for _, s := range list {
			if s.Key == key {
				return true
			}
		}
	}
	return false
}
