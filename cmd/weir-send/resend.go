package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/repaircode"
	"weir/internal/terminal"
	"weir/internal/terminal/progress"
	"weir/sender"
)

func resendCommand(path *string) *cobra.Command {
	var file string
	var dry bool
	cmd := &cobra.Command{
		Use: resendUse, Short: resendShort, Long: resendLong, Example: resendExample,
	}
	cmd.Flags().StringVar(&file, "file", "", resendFileFlag)
	cmd.Flags().BoolVar(&dry, "dry-run", false, resendDryFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		r := control.Request{Codes: joinGroups(args), Several: file != ""}
		if file != "" {
			if r.Codes, err = readCodes(file, args); err != nil {
				return err
			}
		}
		if len(r.Codes) == 0 {
			return exit.With(exit.Usage, errors.New(resendNone))
		}
		return resend(cmd, c, r, dry)
	}
	return cmd
}

// joinGroups takes arguments that are a single group each for one code, typed with
// blanks between its groups.
func joinGroups(args []string) []string {
	for _, arg := range args {
		if len(arg) > repaircode.GroupSize {
			return args
		}
	}
	if len(args) < 2 {
		return args
	}
	return []string{strings.Join(args, "-")}
}

// readCodes reads a file of codes, - for the standard input.
func readCodes(path string, args []string) ([]string, error) {
	if len(args) > 0 {
		return nil, exit.With(exit.Usage, errors.New(resendBoth))
	}
	f := os.Stdin
	if path != stdin {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, fmt.Errorf("reading the codes: %w", err)
		}
		defer f.Close()
	}
	text, err := io.ReadAll(io.LimitReader(f, repaircode.MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("reading the codes: %w", err)
	}
	if len(text) > repaircode.MaxText {
		return nil, exit.With(exit.Usage, fmt.Errorf(resendLongFile, path))
	}
	return sender.SplitCodes(string(text)), nil
}

// resend shows what the codes ask for, and has it sent.
func resend(cmd *cobra.Command, c config.Sender, r control.Request, dry bool) error {
	screen := terminal.NewScreen(os.Stderr)
	log, err := screen.Logger(c.LogLevel, c.LogFormat)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	var plan sender.Resend
	r.Action = control.Plan
	if err := ask(cmd.Context(), c, log, r, control.Progress{}, &plan); err != nil {
		return err
	}
	total := printPlan(cmd.OutOrStdout(), c.Name, plan.Orders)
	if dry {
		return nil
	}
	bar := progress.Start(screen, log, "resend", total)
	var done []*sender.Again
	r.Action = control.Resend
	err = ask(cmd.Context(), c, log, r, control.Progress{Planned: bar.SetTotal, Done: bar.Add}, &done)
	bar.Close()
	if err != nil {
		return err
	}
	return reportResend(cmd.OutOrStdout(), c.Name, done)
}

func printPlan(w io.Writer, name string, orders []*sender.Order) (total int64) {
	for _, o := range orders {
		if o.Lost {
			fmt.Fprintf(w, resendLost, name, o.Snapshot)
			continue
		}
		fmt.Fprintf(w, resendPlan, name, o.Snapshot, count.Of(o.Files, "file"), humanize.IBytes(uint64(o.Bytes)), withManifest(o.Manifest))
		total += o.Bytes
	}
	return total
}

func withManifest(with bool) string {
	if with {
		return resendManifest
	}
	return ""
}

// reportResend says what was sent. What is gone makes the command end with
// exit.Damaged: the code is not fulfilled.
func reportResend(w io.Writer, name string, all []*sender.Again) error {
	gone, lost := int64(0), 0
	for _, a := range all {
		if a.Lost {
			lost++
			continue
		}
		fmt.Fprintf(w, resendDone, name, a.Snapshot, count.Of(a.Files, "file"), humanize.IBytes(uint64(a.Bytes)), withManifest(a.Manifest))
		for _, p := range a.GoneFiles {
			fmt.Fprintf(w, resendGoneFile, p)
		}
		gone += a.Gone
	}
	if lost > 0 && gone == 0 {
		return exit.With(exit.Damaged, fmt.Errorf(resendLostSum, lost))
	}
	if gone > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(resendGone, count.Of(gone, "file")))
	}
	return nil
}
