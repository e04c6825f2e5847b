package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"weir/internal/steward"
	"weir/internal/terminal"
	"weir/internal/vault"
)

// holder prepares a command that may change the vault: it returns the directory
// and the rules of the configuration, if that is of this vault, and makes the
// process the vault's owner, so that no file of it gets another one.
func (p *place) holder() (string, vault.Options, error) {
	dir, err := p.dir()
	if err != nil {
		return "", vault.Options{}, err
	}
	opt, err := p.options(dir)
	if err != nil {
		return "", opt, err
	}
	if opt.Log, err = terminal.NewScreen(os.Stderr).Logger("warn", terminal.Console); err != nil {
		return "", opt, err
	}
	return dir, opt, steward.BecomeOwner(dir)
}

// ask has whoever holds the vault do an action about a restore point, "" for none:
// detail says how, nil if there is nothing to say, and result takes the answer.
func (p *place) ask(ctx context.Context, action, ref string, detail, result any) error {
	dir, opt, err := p.holder()
	if err != nil {
		return err
	}
	return steward.Ask(ctx, dir, opt, action, ref, detail, result)
}

// options returns the rules for the vault in dir. Where they are not known it says
// what the command goes without.
func (p *place) options(dir string) (vault.Options, error) {
	c, err := p.receiver()
	if errors.Is(err, errUnknown) {
		fmt.Fprintf(os.Stderr, noRules, err)
		return vault.Options{}, nil
	}
	if err != nil {
		return vault.Options{}, err
	}
	here, err := os.Stat(dir)
	if err != nil {
		return vault.Options{}, fmt.Errorf(badVault, err)
	}
	if there, err := os.Stat(c.Vault); err != nil || !os.SameFile(here, there) {
		fmt.Fprintf(os.Stderr, noRules, fmt.Sprintf(otherVault, p.config, c.Vault))
		return vault.Options{}, nil
	}
	return steward.Options(c)
}
