package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
)

func initCommand(path *string) *cobra.Command {
	c := config.NewSender("")
	cmd := &cobra.Command{
		Use: "init", Short: initShort, Long: initLong, Example: initExample,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&c.Name, "name", "", nameFlag)
	f.TextVar(&c.To, "to", netip.AddrPort{}, toFlag)
	f.StringVar(&c.Receiver, "receiver", "", keyFlag)
	f.TextVar(&c.Rate, "rate", config.Rate(0), rateFlag)
	f.Lookup("rate").DefValue = "" // none is shown
	f.IntVar(&c.MTU, "mtu", c.MTU, mtuFlag)
	f.TextVar(&c.Overhead, "overhead", c.Overhead, overFlag)
	f.TextVar(&c.Burst, "burst", c.Burst, burstFlag)
	for _, name := range []string{"name", "to", "receiver", "rate"} {
		cmd.MarkFlagRequired(name)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("burst") {
			fitBurst(cmd, &c)
		}
		return initialise(cmd, *path, c)
	}
	return cmd
}

// fitBurst shortens the default, which nobody asked for, to what the rate
// allows. A burst that was asked for is refused instead.
func fitBurst(cmd *cobra.Command, c *config.Sender) {
	if longest := c.LongestBurst(); longest > 0 && longest < c.Burst {
		cmd.PrintErrf(cutBurst, c.Rate, c.Burst, longest)
		c.Burst = longest
	}
}

// initialise checks all that can be checked before it writes anything.
func initialise(cmd *cobra.Command, path string, c config.Sender) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("finding the configuration: %w", err)
	}
	defaults := config.NewSender(path)
	c.File, c.Key, c.State, c.Socket = path, defaults.Key, defaults.State, defaults.Socket
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf(confThere, path)
	}
	if c.Receiver, err = receiverKey(cmd, c.Receiver); err != nil {
		return fmt.Errorf("--receiver: %w", err)
	}
	if _, err := config.ParseSender(path, c.Render()); err != nil {
		return exit.With(exit.Usage, config.FlagError(err))
	}
	key, err := makeKey(cmd, filepath.Join(filepath.Dir(path), c.Key))
	if err != nil {
		return err
	}
	if err := config.WriteSender(c); err != nil {
		return err
	}
	text := keys.SenderText(key.Public().(ed25519.PublicKey))
	cmd.PrintErrf(initDone, path, c.Name, keys.Fingerprint(text))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

func receiverKey(cmd *cobra.Command, arg string) (string, error) {
	text, err := keys.ReadText(arg, cmd.InOrStdin())
	if err != nil {
		return "", err
	}
	pub, err := keys.ParseReceiver(text)
	if err != nil {
		return "", exit.With(exit.Usage, err)
	}
	return keys.ReceiverText(pub), nil
}

// makeKey makes the key, or keeps the one that an earlier init left.
func makeKey(cmd *cobra.Command, path string) (ed25519.PrivateKey, error) {
	key, err := keys.NewSender(path)
	if !errors.Is(err, keys.ErrExists) {
		return key, err
	}
	if key, err = keys.LoadSender(path); err != nil {
		return nil, err
	}
	cmd.PrintErrf(keptKey, path)
	return key, nil
}
