package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/keys"
	"weir/internal/names"
)

func trustCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: trustUse, Short: trustShort, Long: trustLong, Example: trustExample,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return trust(cmd, *path, args[0], args[1]) },
	}
}

func trust(cmd *cobra.Command, path, name, arg string) error {
	if err := names.Check(name); err != nil {
		return exit.With(exit.Usage, err)
	}
	text, err := keys.ReadText(arg, cmd.InOrStdin())
	if err != nil {
		return err
	}
	pub, err := keys.ParseSender(text)
	if err != nil {
		return exit.With(exit.Usage, fmt.Errorf("%w; give the line that `weir-send init` printed", err))
	}
	text = keys.SenderText(pub)
	added, err := config.AddSender(path, config.TrustedSender{Name: name, Key: text})
	if err != nil {
		return usage(err)
	}
	words := trustKnown
	if added {
		words = trustDone
	}
	cmd.PrintErrf(words, name, keys.Fingerprint(text), path)
	return nil
}
