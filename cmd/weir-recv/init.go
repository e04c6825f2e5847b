package main

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
	"weir/internal/vault"
)

func initCommand(path *string) *cobra.Command {
	c := config.NewReceiver("")
	cmd := &cobra.Command{
		Use: "init", Short: initShort, Long: initLong, Example: initExample,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&c.Vault, "vault", "", vaultFlag)
	f.TextVar(&c.Listen, "listen", netip.AddrPort{}, listenFlag)
	for _, name := range []string{"vault", "listen"} {
		cmd.MarkFlagRequired(name)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return initialise(cmd, *path, c) }
	return cmd
}

// initialise checks all that can be checked before it writes anything.
func initialise(cmd *cobra.Command, path string, c config.Receiver) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("finding the configuration: %w", err)
	}
	if c.Vault == "" {
		return exit.With(exit.Usage, errors.New("--vault: it is empty, write the directory of the vault"))
	}
	if c.Vault, err = filepath.Abs(c.Vault); err != nil {
		return fmt.Errorf("finding the vault: %w", err)
	}
	defaults := config.NewReceiver(path)
	c.File, c.Keys, c.State, c.AttestationKey = path, defaults.Keys, defaults.State, defaults.AttestationKey
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf(confThere, path)
	}
	if _, err := config.ParseReceiver(path, c.Render()); err != nil {
		return exit.With(exit.Usage, config.FlagError(err))
	}
	if err := makeVault(c.Vault); err != nil {
		return err
	}
	key, err := makeKey(cmd, filepath.Join(filepath.Dir(path), c.Keys[0]))
	if err != nil {
		return err
	}
	if err := config.WriteReceiver(c); err != nil {
		return err
	}
	text := keys.ReceiverText(key.PublicKey())
	cmd.PrintErrf(initDone, path, c.Listen, keys.Fingerprint(text))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// makeVault makes the directory and tries to write in it: better said now than
// when the first file arrives.
func makeVault(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the vault: %w; make the directory by hand or choose another --vault", err)
	}
	probe, err := os.CreateTemp(dir, ".weir-probe-*")
	if err != nil {
		return fmt.Errorf("the vault is not writable: %w; change its owner or choose another --vault", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("the vault is not writable: %w", err)
	}
	return vault.Create(dir)
}

// makeKey makes the key, or keeps the one that an earlier init left.
func makeKey(cmd *cobra.Command, path string) (hpke.PrivateKey, error) {
	key, err := keys.NewReceiver(path)
	if !errors.Is(err, keys.ErrExists) {
		return key, err
	}
	if key, err = keys.LoadReceiver(path); err != nil {
		return nil, err
	}
	cmd.PrintErrf(keptKey, path)
	return key, nil
}
