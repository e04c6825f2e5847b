package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"weir/internal/exit"
	"weir/internal/vault"
)

func missingCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use: missingUse, Short: missingShort, Long: missingLong,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, found, err := p.find(args[0])
			if err != nil {
				return err
			}
			return printMissing(cmd.OutOrStdout(), dir, found)
		},
	}
}

// printMissing names each file that lacks something with its ranges. Anything
// missing makes the command end with exit.Damaged.
func printMissing(w io.Writer, dir string, found vault.Found) error {
	var files, bytes int64
	for m, err := range vault.Missing(dir, found) {
		if err != nil {
			return err
		}
		files++
		fmt.Fprintf(w, "%q", m.Path)
		for _, r := range m.Ranges {
			bytes += r[1]
			fmt.Fprintf(w, " %d+%d", r[0], r[1])
		}
		fmt.Fprintln(w)
	}
	switch {
	case files > 0:
		return exit.With(exit.Damaged, fmt.Errorf(missingSum, found.Ref(), files, size(bytes)))
	case found.State != vault.Whole:
		return exit.With(exit.Damaged, errors.New(missingManifest))
	}
	_, err := fmt.Fprintf(w, missingNothing, found.Ref())
	return err
}
