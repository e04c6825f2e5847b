package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/restore"
	"weir/internal/terminal"
	"weir/internal/terminal/progress"
	"weir/internal/vault"
)

func restoreCommand(p *place) *cobra.Command {
	var o restore.Options
	var identity string
	cmd := &cobra.Command{
		Use: restoreUse, Short: restoreShort, Long: restoreLong, Example: restoreExample,
		Args: cobra.MinimumNArgs(2),
	}
	f := cmd.Flags()
	f.BoolVar(&o.Overwrite, "overwrite", false, overwriteFlag)
	f.BoolVar(&o.Partial, "partial", false, partialFlag)
	f.StringVar(&identity, "identity", "", identityFlag)
	f.BoolVar(&o.Encrypted, "encrypted", false, encryptedFlag)
	cmd.MarkFlagsMutuallyExclusive("identity", "encrypted")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, found, err := p.find(args[0])
		if err != nil {
			return err
		}
		if found.State != vault.Whole && !o.Partial {
			return exit.With(exit.Damaged, fmt.Errorf(restorePartial, found.Ref(), lacks(found.Info)))
		}
		if o.Identities, err = identities(identity); err != nil {
			return err
		}
		o.Dest, o.Paths = args[1], args[2:]
		return restoreFound(cmd, found, o)
	}
	return cmd
}

func restoreFound(cmd *cobra.Command, found vault.Found, o restore.Options) error {
	if found.Manifest == "" {
		return exit.With(exit.Damaged, fmt.Errorf(restoreNothing, found.Ref()))
	}
	done, err := found.Hold()
	if err != nil {
		return err
	}
	defer done()
	if words := doubts(found.Info); len(words) > 0 {
		cmd.PrintErrf(restoreDoubt, found.Ref(), strings.Join(words, ", "))
	}
	manifest, err := os.Open(found.Manifest)
	if err != nil {
		return fmt.Errorf("opening the manifest: %w", err)
	}
	defer manifest.Close()
	o.Manifest, o.Open = manifest, found.Open
	r, err := runRestore(cmd.Context(), found, o)
	switch {
	case errors.Is(err, restore.ErrPattern):
		return exit.With(exit.Usage, err)
	case err != nil:
		return err
	}
	cmd.PrintErrf(restoreDone, count.Of(r.Files+r.Hardlinks, "file"), size(r.Bytes), o.Dest)
	if r.Problems > 0 {
		cmd.PrintErrf(restoreProblems, count.Of(r.Problems, "file"), found.Ref())
	}
	if r.Attributes > 0 {
		cmd.PrintErrf(restoreAttributes, count.Of(r.Attributes, "entry"))
	}
	if r.Failures > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(restoreFailed, count.Of(r.Failures, "entry")))
	}
	return nil
}

func runRestore(ctx context.Context, found vault.Found, o restore.Options) (restore.Result, error) {
	screen := terminal.NewScreen(os.Stderr)
	log, err := screen.Logger("info", terminal.Console)
	if err != nil {
		return restore.Result{}, err
	}
	bar := progress.Start(screen, log, found.Ref(), found.Bytes)
	defer bar.Close()
	o.Planned = func(_, bytes int64) { bar.SetTotal(bytes) }
	o.Progress = bar.Add
	o.Warn = func(path string, err error) { log.Warn().Str("path", path).Err(err).Send() }
	return restore.Run(ctx, o)
}
