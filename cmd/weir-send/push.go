package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/internal/terminal/progress"
	"weir/sender"
)

// stdin is the path that means the standard input.
const stdin = "-"

func pushCommand(path *string) *cobra.Command {
	var r control.Request
	cmd := &cobra.Command{
		Use: pushUse, Short: pushShort, Long: pushLong, Example: pushExample,
		Args: cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&r.Source, "source", "", sourceFlag)
	f.StringArrayVar((*[]string)(&r.Exclude), "exclude", nil, excludeFlag)
	f.StringVar(&r.As, "as", "", asFlag)
	f.BoolVar(&r.Changed, "changed", false, changedFlag)
	compress := f.String("compress", config.CompressOff, compressFlag)
	cmd.MarkFlagRequired("source")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		if err := fill(&r, args); err != nil {
			return exit.With(exit.Usage, err)
		}
		if r.Compress = *compress == config.CompressAuto; !r.Compress && *compress != config.CompressOff {
			return exit.With(exit.Usage, fmt.Errorf(badCompress, *compress))
		}
		return push(cmd, c, r)
	}
	return cmd
}

// fill completes the request with the paths.
func fill(r *control.Request, args []string) error {
	if len(args) == 1 && args[0] == stdin {
		if r.As == "" {
			return errors.New(pushNoName)
		}
		if !utf8.ValidString(r.As) {
			return errors.New(pushBadName)
		}
		r.Stream = true
		return nil
	}
	if r.As != "" {
		return errors.New(pushNoStream)
	}
	for _, arg := range args {
		abs, err := filepath.Abs(arg)
		if err != nil {
			return fmt.Errorf("finding %s: %w", arg, err)
		}
		r.Paths = append(r.Paths, abs)
	}
	return nil
}

// push gives the work to the running service, and does it itself where there is
// none.
func push(cmd *cobra.Command, c config.Sender, r control.Request) error {
	screen := terminal.NewScreen(os.Stderr)
	log, err := screen.Logger(c.LogLevel, c.LogFormat)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	bar := progress.Start(screen, log, r.Source, 0)
	var stream *os.File
	if r.Stream {
		stream = os.Stdin
	}
	p := control.Progress{Planned: bar.SetTotal, Done: bar.Add}
	res, err := control.Ask(cmd.Context(), c.Socket, r, stream, p)
	if errors.Is(err, control.ErrNoService) {
		res, err = pushAlone(cmd.Context(), c, log, r, stream, p)
	}
	bar.Close()
	if errors.Is(err, control.ErrRequest) || errors.Is(err, sender.ErrJob) || errors.Is(err, sender.ErrPaths) {
		return exit.With(exit.Usage, err)
	}
	if err != nil {
		return err
	}
	return report(cmd, c, r.Source, res)
}

func pushAlone(ctx context.Context, c config.Sender, log zerolog.Logger, r control.Request, stream *os.File, p control.Progress) (res control.Result, err error) {
	s, err := newService(c, log.Level(max(log.GetLevel(), zerolog.WarnLevel)), nil)
	if err != nil {
		return res, err
	}
	err = s.with(ctx, func(ctx context.Context) error {
		if stream != nil {
			stream = control.Stream(stream)
			defer context.AfterFunc(ctx, func() { stream.Close() })()
		}
		if res, err = s.handle(ctx, r, stream, p); err == nil {
			err = s.sender.Beat(ctx)
		}
		return err
	})
	return res, err
}

// take takes the snapshot that a request asks for.
func (s *service) take(ctx context.Context, r control.Request, stream *os.File, p control.Progress) (control.Result, error) {
	job := sender.Job{Source: r.Source, Paths: r.Paths, Exclude: r.Exclude, As: r.As, All: !r.Changed, Compress: r.Compress, Progress: p.Done, Planned: p.Planned}
	if stream != nil {
		job.Stream = stream
	}
	res, err := s.push(ctx, job)
	if errors.Is(err, sender.ErrJob) || errors.Is(err, sender.ErrPaths) {
		err = fmt.Errorf("%w: %w", control.ErrRequest, err)
	}
	return control.Result{
		Name: res.Name(), Files: res.Files, Bytes: res.Bytes, SentFiles: res.SentFiles, SentBytes: res.SentBytes,
		WireBytes: res.WireBytes, Problems: res.Problems, Skipped: res.Skipped, Seconds: res.Duration.Seconds(),
	}, err
}

// report prints the one line that says what was sent. It never says more.
func report(cmd *cobra.Command, c config.Sender, source string, r control.Result) error {
	fmt.Fprintf(cmd.OutOrStdout(), pushDone, c.Name+"/"+source+"/"+r.Name,
		count.Of(r.Files, "file"), humanize.IBytes(uint64(r.Bytes)), count.Of(r.SentFiles, "file"), humanize.IBytes(uint64(r.SentBytes)),
		humanize.IBytes(uint64(r.WireBytes)), overhead(r), humanize.SIWithDigits(float64(r.WireBytes)*8/max(r.Seconds, 1e-3), 0, "bit/s"), r.Seconds)
	if r.Problems > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(pushProblems, count.Of(r.Problems, "file")))
	}
	return nil
}

// overheadFrom is how much must have been sent for its overhead to mean anything,
// in bytes: of less, announces and the repeated tail are most.
const overheadFrom = 64 << 20

// overhead says what parity, headers and frames added to the content.
func overhead(r control.Result) string {
	if r.SentBytes < overheadFrom {
		return ""
	}
	return fmt.Sprintf(pushOverhead, 100*(float64(r.WireBytes)/float64(r.SentBytes)-1))
}
