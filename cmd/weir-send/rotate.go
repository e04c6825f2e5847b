package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/exit"
	"weir/internal/keys"
	"weir/internal/terminal"
)

func rotateCommand(path *string) *cobra.Command {
	r := control.Request{Action: control.OfferKey}
	var cancel, retire bool
	cmd := &cobra.Command{Use: "rotate-key", Short: rotateShort, Long: rotateLong, Example: rotateExample, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.StringVar(&r.Key, "switch", "", switchFlag)
	f.BoolVar(&cancel, "cancel", false, cancelFlag)
	f.BoolVar(&retire, "retire", false, retireFlag)
	cmd.MarkFlagsMutuallyExclusive("switch", "cancel", "retire")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		switch {
		case err != nil:
			return err
		case retire:
			return retireKey(cmd, c)
		case cancel:
			r.Action = control.WithdrawKey
		case r.Key != "":
			r.Action = control.SwitchKey
		}
		return changeKey(cmd, c, r)
	}
	return cmd
}

func changeKey(cmd *cobra.Command, c config.Sender, r control.Request) error {
	log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	var done changed
	if err := ask(cmd.Context(), c, log, r, control.Progress{}, &done); err != nil {
		return err
	}
	switch fingerprint := keys.Fingerprint(done.Key); {
	case r.Action == control.WithdrawKey:
		cmd.PrintErr(cancelDone)
	case r.Action == control.SwitchKey && done.Done:
		cmd.PrintErrf(switchKnown, fingerprint)
	case r.Action == control.SwitchKey:
		cmd.PrintErrf(switchDone, fingerprint, c.Key+keys.OldSuffix)
	default:
		cmd.PrintErrf(rotateDone, c.Name, fingerprint)
		_, err = fmt.Fprintln(cmd.OutOrStdout(), done.Key)
	}
	return err
}

// retireKey removes the key that the present one has replaced.
func retireKey(cmd *cobra.Command, c config.Sender) error {
	path := c.Key + keys.OldSuffix
	err := keys.Destroy(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(retireNone, path)
	}
	if err == nil {
		cmd.PrintErrf(retireDone, path)
	}
	return err
}
