package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/vault"
)

// place is how a command finds the vault: named outright, or by the receiver's
// configuration.
type place struct {
	vault, config string
	given         func() bool // whether the configuration was named
}

func placeFlags(root *cobra.Command) *place {
	p := &place{}
	f := root.PersistentFlags()
	f.StringVar(&p.vault, "vault", "", vaultFlag)
	f.StringVar(&p.config, "config", config.ReceiverPath, configFlag)
	p.given = func() bool { return f.Changed("config") }
	return p
}

// errUnknown says that the configuration cannot be read and nobody has named it: it
// is of a vault alone, carried away from its receiver.
var errUnknown = errors.New("no configuration is known")

// receiver returns the receiver's configuration.
func (p *place) receiver() (config.Receiver, error) {
	c, err := config.LoadReceiver(p.config)
	wrong := errors.Is(err, config.ErrInvalid)
	if err != nil && (!wrong || errors.Is(err, fs.ErrNotExist)) {
		if !p.given() {
			return c, fmt.Errorf("%w: %w", errUnknown, err)
		}
		err = fmt.Errorf(badConfig, err)
	}
	if wrong {
		err = exit.With(exit.Usage, err)
	}
	return c, err
}

// dir returns the vault's directory, which is there.
func (p *place) dir() (string, error) {
	dir := p.vault
	if dir == "" || p.given() {
		c, err := p.receiver()
		switch {
		case errors.Is(err, errUnknown):
			return "", exit.With(exit.Usage, fmt.Errorf(noVault, err))
		case err != nil:
			return "", err
		case dir == "":
			dir = c.Vault
		}
	}
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf(badVault, err)
	} else if !info.IsDir() {
		return "", fmt.Errorf(badVault, fmt.Errorf("%s is not a directory", dir))
	}
	return filepath.Abs(dir)
}

// find resolves the name of a snapshot in the vault.
func (p *place) find(ref string) (string, vault.Found, error) {
	dir, err := p.dir()
	if err != nil {
		return "", vault.Found{}, err
	}
	found, err := vault.Find(dir, ref)
	return dir, found, err
}
