package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/vault"
)

func eventsCommand(p *place) *cobra.Command {
	var asJSON, verify bool
	var head string
	cmd := &cobra.Command{
		Use: "events", Short: eventsShort, Long: eventsLong, Example: eventsExample, Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, jsonFlag)
	f.BoolVar(&verify, "verify", false, eventsVerifyFlag)
	f.StringVar(&head, "head", "", eventsHeadFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := p.dir()
		if err != nil {
			return err
		}
		if verify || head != "" {
			return verifyEvents(cmd.OutOrStdout(), dir, head)
		}
		return printEvents(cmd.OutOrStdout(), dir, asJSON)
	}
	return cmd
}

func printEvents(w io.Writer, dir string, asJSON bool) (err error) {
	enc := json.NewEncoder(w)
	rerr := vault.EachEvent(dir, func(e vault.Event) {
		switch {
		case err != nil: // the reader of our output has gone
		case asJSON:
			err = enc.Encode(e)
		default:
			_, err = fmt.Fprintf(w, eventsLine, e.Sequence, e.Time.Format(time.RFC3339), e.Event, e.Snapshot, e.Detail)
		}
	})
	if rerr != nil {
		return rerr
	}
	return err
}

func verifyEvents(w io.Writer, dir, head string) error {
	var other vault.Head
	if head != "" {
		var err error
		if other, err = vault.ParseHead(head); err != nil {
			return exit.With(exit.Usage, err)
		}
	}
	report, err := vault.VerifyEvents(dir, other)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		fmt.Fprintln(w, f)
	}
	if n := len(report.Findings); n > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(eventsDamaged, count.Of(n, "finding")))
	}
	_, err = fmt.Fprintf(w, eventsGood, count.Of(report.Head.Sequence, "event"), report.Head)
	return err
}
