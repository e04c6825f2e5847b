package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/event"
	"weir/internal/exit"
	"weir/internal/restore"
	"weir/internal/vault"
)

// drillOptions say how a restore drill is done.
type drillOptions struct {
	files   int // a random sample of so many, 0 for all
	scratch string
}

// maxSample bounds the files of a sample.
const maxSample = 10_000

func drillCommand(p *place) *cobra.Command {
	var o drillOptions
	cmd := &cobra.Command{
		Use: "drill [SENDER/SOURCE | SNAPSHOT]", Short: drillShort, Long: drillLong, Example: drillExample,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.IntVar(&o.files, "files", 0, drillFilesFlag)
	f.StringVar(&o.scratch, "scratch", "", drillScratchFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.files < 0 || o.files > maxSample {
			return exit.With(exit.Usage, fmt.Errorf(drillTooMany, maxSample))
		}
		dir, refs, err := p.drilled(args)
		if err != nil {
			return err
		}
		return drillEach(cmd, p, dir, refs, o)
	}
	return cmd
}

// drilled returns the restore points to drill with: the one that is named, the
// newest of the source that is named, or the newest of every source.
func (p *place) drilled(args []string) (string, []vault.Found, error) {
	if len(args) == 1 {
		ref := args[0]
		if !strings.Contains(ref, "@") && strings.Count(ref, "/") == 1 {
			ref += "/latest"
		}
		dir, found, err := p.find(ref)
		return dir, []vault.Found{found}, err
	}
	dir, err := p.dir()
	if err != nil {
		return dir, nil, err
	}
	infos, err := vault.List(dir)
	if err != nil {
		return dir, nil, err
	}
	var all []vault.Found
	var sources []string
	for _, i := range infos {
		source := i.Sender + "/" + i.Source
		if slices.Contains(sources, source) {
			continue
		}
		sources = append(sources, source)
		found, err := vault.Find(dir, source+"/latest")
		if errors.Is(err, vault.ErrNotFound) {
			continue
		}
		if err != nil {
			return dir, nil, err
		}
		all = append(all, found)
	}
	if len(all) == 0 {
		return dir, nil, exit.With(exit.Damaged, errors.New(drillNothing))
	}
	return dir, all, nil
}

// drillEach goes on after one that failed, and enters all results into the log.
func drillEach(cmd *cobra.Command, p *place, dir string, all []vault.Found, o drillOptions) error {
	results := make([]drillResult, 0, len(all))
	failed := 0
	for _, found := range all {
		r, err := drill(cmd.Context(), found, o)
		if err != nil {
			return err
		}
		if results = append(results, r); !r.passed() {
			failed++
		}
		fmt.Fprintln(cmd.OutOrStdout(), r)
		for _, line := range r.wrong {
			fmt.Fprintf(cmd.OutOrStdout(), verifyBad, found.Ref(), line)
		}
	}
	if err := record(cmd.Context(), p, results); err != nil {
		return fmt.Errorf(drillNotNoted, err)
	}
	if failed > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(drillSum, failed, len(all)))
	}
	return nil
}

// drillResult says what came of a drill.
type drillResult struct {
	ref          string
	files, bytes int64
	took         time.Duration
	wrong        []string
}

func (r drillResult) passed() bool { return len(r.wrong) == 0 }

// String returns the result as a line.
func (r drillResult) String() string {
	word := drillPassed
	if !r.passed() {
		word = drillFailed
	}
	rate := humanize.Bytes(uint64(float64(r.bytes) / max(r.took.Seconds(), 1e-3)))
	return fmt.Sprintf(drillLine, r.ref, word, count.Of(r.files, "file"), size(r.bytes), r.took.Round(time.Millisecond), rate)
}

// drill restores to a directory of its own, which is removed in the end.
func drill(ctx context.Context, found vault.Found, o drillOptions) (r drillResult, err error) {
	r.ref = found.Ref()
	dest, err := os.MkdirTemp(o.scratch, "weir-drill-")
	if err != nil {
		return r, fmt.Errorf("making the directory for the drill: %w", err)
	}
	defer func() {
		if root, oerr := os.OpenRoot(dest); oerr == nil {
			openUp(root)
			root.Close()
		}
		err = errors.Join(err, os.RemoveAll(dest))
	}()
	var paths []string
	if o.files > 0 {
		if paths, err = sample(found.Manifest, o.files); err != nil {
			return r, err
		}
		if len(paths) == 0 {
			return r, nil // it has no file
		}
	}
	held, err := found.Hold()
	if err != nil {
		return r, err
	}
	defer held()
	manifest, err := os.Open(found.Manifest)
	if err != nil {
		return r, fmt.Errorf("opening the manifest: %w", err)
	}
	defer manifest.Close()
	begun := time.Now()
	done, err := runRestore(ctx, found, restore.Options{
		Manifest: manifest, Open: found.Open, Dest: dest, Paths: paths, Encrypted: true, // what is stored is tried, and no key is here
	})
	r.took, r.files, r.bytes = time.Since(begun), done.Files+done.Hardlinks, done.Bytes
	for _, f := range done.Failed {
		r.wrong = append(r.wrong, fmt.Sprintf("%q: %v", f.Path, f.Err))
	}
	if err != nil && ctx.Err() == nil {
		r.wrong, err = append(r.wrong, err.Error()), nil
	}
	if err == nil {
		var differ []string
		differ, err = differs(ctx, found.Manifest, dest, paths)
		r.wrong = append(r.wrong, differ...)
	}
	return r, err
}

// record enters the results into the vault's event log.
func record(ctx context.Context, p *place, all []drillResult) error {
	dir, opt, err := p.holder()
	if err != nil {
		return err
	}
	for _, r := range all {
		name := event.DrillPassed
		if !r.passed() {
			name = event.DrillFailed
		}
		detail, err := json.Marshal(vault.NoteRequest{Event: name, Detail: r.String()})
		if err != nil {
			return err
		}
		if err := vault.Ask(ctx, dir, opt, vault.Request{Action: vault.ActionNote, Snapshot: r.ref, Detail: detail}, nil); err != nil {
			return err
		}
	}
	return nil
}
