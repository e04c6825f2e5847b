package main

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/keys"
	"weir/internal/steward"
	"weir/internal/vault"
)

// tellHolder lets a running weir-recv, or whoever else holds the vault, go by a
// change of keys at once. Where nobody does there is nothing to tell: whoever
// opens the vault next reads the configuration.
func tellHolder(cmd *cobra.Command, c config.Receiver, r vault.SignersRequest) error {
	detail, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = vault.AskHolder(cmd.Context(), c.Vault, vault.Request{Action: vault.ActionSigners, Detail: detail}, nil)
	if errors.Is(err, vault.ErrNotHeld) {
		return nil
	}
	if err == nil {
		cmd.PrintErr(toldHolder)
	}
	return err
}

// askVault has a change of keys written down in the vault too, also where nobody
// holds it. A vault that was never used has nothing to write it in.
func askVault(cmd *cobra.Command, path string, r vault.SignersRequest) error {
	c, err := loadConfig(path) // as it is now
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Vault); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	opt, err := steward.Options(c)
	if err != nil {
		return err
	}
	opt.Log = zerolog.Nop()
	return steward.Ask(cmd.Context(), c.Vault, opt, vault.ActionSigners, "", r, nil)
}

// signerOf returns a sender's key in the vault's form. The text was parsed before.
func signerOf(name, text string) vault.Signer {
	pub, _ := keys.ParseSender(text)
	return vault.Signer{Sender: name, Key: pub}
}
