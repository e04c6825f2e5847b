package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/vault"
)

func lockCommand(p *place) *cobra.Command {
	var until, span string
	cmd := &cobra.Command{
		Use: "lock SNAPSHOT", Short: lockShort, Long: lockLong, Example: lockExample, Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&until, "until", "", lockUntilFlag)
	f.StringVar(&span, "for", "", lockForFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ask, err := lockRequest(until, span)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		_, found, err := p.find(args[0])
		if err != nil {
			return err
		}
		var end time.Time
		if err := p.ask(cmd.Context(), vault.ActionLock, found.Ref(), ask, &end); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), lockDone, found.Ref(), end.Format(time.RFC3339))
		return err
	}
	return cmd
}

// lockRequest reads the two flags, of which one is given.
func lockRequest(until, span string) (r vault.LockRequest, err error) {
	if (until == "") == (span == "") {
		return r, errors.New(lockWhich)
	}
	if span != "" {
		var d config.Duration
		err = d.UnmarshalText([]byte(span))
		r.For = time.Duration(d)
		return r, err
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if r.Until, err = time.Parse(form, until); err == nil {
			return r, nil
		}
	}
	return r, fmt.Errorf(lockNoDate, until)
}
