package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"weir/internal/config"
	"weir/internal/exit"
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
	return dir, opt, becomeOwner(dir)
}

// options returns the rules for the vault in dir.
func (p *place) options(dir string) (vault.Options, error) {
	c, err := config.LoadReceiver(p.config)
	switch {
	case errors.Is(err, config.ErrInvalid):
		return vault.Options{}, exit.With(exit.Usage, err)
	case err != nil:
		return vault.Options{}, nil // a vault alone, carried away from its receiver
	}
	here, err := os.Stat(dir)
	if err != nil {
		return vault.Options{}, fmt.Errorf(badVault, err)
	}
	if there, err := os.Stat(c.Vault); err != nil || !os.SameFile(here, there) {
		return vault.Options{}, nil
	}
	return steward.Options(c)
}

// becomeOwner gives root's powers up for those of the vault's owner. Others keep
// theirs: the system tells whether they suffice.
func becomeOwner(dir string) error {
	st, err := os.Stat(dir + "/.weir")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(badVault, err)
	}
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf(notOwner, err)
	}
	if err := syscall.Setgid(int(owner.Gid)); err != nil {
		return fmt.Errorf(notOwner, err)
	}
	if err := syscall.Setuid(int(owner.Uid)); err != nil {
		return fmt.Errorf(notOwner, err)
	}
	return nil
}
