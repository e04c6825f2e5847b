package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/internal/terminal/progress"
	"weir/internal/vault"
)

func verifyCommand(p *place) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: verifyUse, Short: verifyShort, Long: verifyLong, Example: verifyExample,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&all, "all", false, allFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if all == (len(args) == 1) {
			return exit.With(exit.Usage, errors.New(verifyWhat))
		}
		dir, refs, err := p.chosen(args)
		if err != nil {
			return err
		}
		return verifyEach(cmd.Context(), cmd.OutOrStdout(), dir, refs)
	}
	return cmd
}

// chosen returns the snapshots that args name, or all of them.
func (p *place) chosen(args []string) (string, []string, error) {
	dir, err := p.dir()
	if err != nil || len(args) > 0 {
		return dir, args, err
	}
	infos, err := vault.List(dir)
	var refs []string
	for _, i := range infos {
		if i.State != vault.Abandoned { // nobody need do anything about it
			refs = append(refs, i.Sender+"/"+i.Source+"/"+i.Name)
		}
	}
	return dir, refs, err
}

// verifyEach goes on after a damaged snapshot: the operator wants to know of
// all.
func verifyEach(ctx context.Context, w io.Writer, dir string, refs []string) error {
	bad := 0
	for _, ref := range refs {
		found, report, err := verifyOne(ctx, dir, ref)
		if len(refs) > 1 && (errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrRemoved)) {
			fmt.Fprintf(w, verifyRemoved, ref)
			continue
		}
		if err != nil {
			return err
		}
		if printReport(w, found, report); len(report.Findings) > 0 {
			bad++
		}
	}
	if bad > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(verifySum, bad, len(refs)))
	}
	return nil
}

func verifyOne(ctx context.Context, dir, ref string) (found vault.Found, r vault.Report, err error) {
	if found, err = vault.Find(dir, ref); err != nil {
		return found, r, err
	}
	done, err := found.Hold()
	if err != nil {
		return found, r, err
	}
	defer done()
	screen := terminal.NewScreen(os.Stderr)
	log, err := screen.Logger("info", terminal.Auto)
	if err != nil {
		return found, r, err
	}
	bar := progress.Start(screen, log, found.Ref(), found.Bytes)
	defer bar.Close()
	r, err = vault.Verify(ctx, dir, found, bar.Add)
	return found, r, err
}

func printReport(w io.Writer, found vault.Found, r vault.Report) {
	if !found.Revoked.IsZero() {
		fmt.Fprintf(w, verifyRevoked, found.Ref(), found.Revoked.Format(time.RFC3339))
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(w, verifyGood, found.Ref(), count.Of(r.Files, "file"), size(r.Bytes))
		return
	}
	for _, finding := range r.Findings {
		fmt.Fprintf(w, verifyBad, found.Ref(), strings.ToValidUTF8(finding.String(), "\uFFFD"))
	}
}
