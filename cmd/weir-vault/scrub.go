package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/internal/terminal/progress"
	"weir/internal/vault"
)

// scrubPoll is how often the state of a scrub is read for the bar.
const scrubPoll = 200 * time.Millisecond

func scrubCommand(p *place) *cobra.Command {
	var all bool
	var rate string
	cmd := &cobra.Command{
		Use: "scrub [SNAPSHOT]", Short: scrubShort, Long: scrubLong, Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, scrubAllFlag)
	f.StringVar(&rate, "rate", "", scrubRateFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all && len(args) == 1 {
			return exit.With(exit.Usage, errors.New(verifyWhat))
		}
		ask := vault.ScrubRequest{}
		if rate != "" {
			var size config.Size
			if err := size.UnmarshalText([]byte(rate)); err != nil {
				return exit.With(exit.Usage, fmt.Errorf("--rate: %w", err))
			}
			ask.Rate = int64(size)
		}
		ref := ""
		if len(args) == 1 {
			_, found, err := p.find(args[0])
			if err != nil {
				return err
			}
			ref = found.Ref()
		}
		dir, opt, err := p.holder()
		if err != nil {
			return err
		}
		return runScrub(cmd, dir, opt, ref, ask)
	}
	return cmd
}

// runScrub has the scrub begun by whoever holds the vault, and watches it.
func runScrub(cmd *cobra.Command, dir string, opt vault.Options, ref string, ask vault.ScrubRequest) error {
	detail, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	before, err := vault.ReadScrub(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := vault.Ask(ctx, dir, opt, vault.Request{Action: vault.ActionScrub, Snapshot: ref, Detail: detail}, nil)
		done <- err
	}()
	s, err := watchScrub(ctx, dir, before, done)
	if err != nil {
		return err
	}
	return printScrub(cmd.OutOrStdout(), s)
}

// watchScrub shows how far a scrub is until it has ended.
func watchScrub(ctx context.Context, dir string, before vault.ScrubState, done <-chan error) (s vault.ScrubState, err error) {
	screen := terminal.NewScreen(os.Stderr)
	log, err := screen.Logger("info", terminal.Console)
	if err != nil {
		return s, err
	}
	bar := progress.Start(screen, log, "scrub", 0)
	defer bar.Close()
	tick := time.NewTicker(scrubPoll)
	defer tick.Stop()
	for asked := done; ; {
		select {
		case err := <-asked:
			if err != nil {
				return s, err
			}
			asked = nil
		case <-ctx.Done():
			return s, fmt.Errorf(scrubStopped, ctx.Err())
		case <-tick.C:
		}
		if s, err = vault.ReadScrub(dir); err != nil {
			return s, err
		}
		if asked == nil && s.Failed != "" {
			return s, fmt.Errorf(scrubFailed, s.Failed)
		}
		bar.SetTotal(s.Total)
		bar.Add(s.Bytes - bar.Done())
		if ended := asked == nil && !s.Running; ended && !s.Ended.Equal(before.Ended) {
			return s, nil
		}
	}
}

func printScrub(w io.Writer, s vault.ScrubState) error {
	for _, f := range s.Findings {
		fmt.Fprintln(w, f)
	}
	if s.Found > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(scrubFound, count.Of(s.Found, "finding")))
	}
	_, err := fmt.Fprintf(w, scrubGood, count.Of(s.Objects, "object"), count.Of(s.Points, "restore point"), size(s.Bytes))
	return err
}
