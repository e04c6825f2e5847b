package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/exit"
	"weir/internal/vault"
)

func pruneCommand(p *place) *cobra.Command {
	var dry, asJSON bool
	cmd := &cobra.Command{Use: "prune", Short: pruneShort, Long: pruneLong, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.BoolVar(&dry, "dry-run", false, dryRunFlag)
	f.BoolVar(&asJSON, "json", false, jsonFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, opt, err := p.holder()
		if err != nil {
			return err
		}
		if opt.Retention == nil {
			return exit.With(exit.Usage, errors.New(pruneNoRules))
		}
		var r vault.PruneResult
		if dry {
			r, err = vault.PlanPrune(dir, opt)
		} else {
			err = vault.Ask(cmd.Context(), dir, opt, vault.Request{Action: vault.ActionPrune}, &r)
		}
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = printVerdicts(cmd.OutOrStdout(), r, dry)
		}
		if err == nil && len(r.Trouble) > 0 {
			err = exit.With(exit.Damaged, errors.New(pruneLeft))
		}
		return err
	}
	return cmd
}

func printVerdicts(w io.Writer, r vault.PruneResult, dry bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, pruneHead)
	for _, v := range r.Verdicts {
		word := pruneKeep
		if !v.Keep {
			word = pruneRemove
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", word, v.Snapshot, v.Received.Format(time.RFC3339), v.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, text := range r.Trouble {
		fmt.Fprintf(w, pruneTrouble, text)
	}
	switch {
	case !r.Held.IsZero():
		fmt.Fprintf(w, pruneHeld, r.Held.Format(time.RFC3339))
	case dry:
		fmt.Fprintf(w, pruneWould, r.Removed(), len(r.Verdicts))
	default:
		fmt.Fprintf(w, pruneDone, r.Removed(), len(r.Verdicts))
	}
	return nil
}
