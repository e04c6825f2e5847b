package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/event"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/internal/udptx"
	"weir/sender"
)

func runCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: runShort, Long: runLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(*path)
			if err != nil {
				return err
			}
			log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
			if err != nil {
				return exit.With(exit.Usage, err)
			}
			return serve(cmd.Context(), c, log)
		},
	}
}

// comesBack reports whether the link may get well by itself, as when its interface is
// down. A datagram that is too large for it is for the operator to mend.
func comesBack(err error) bool { return !errors.Is(err, udptx.ErrTooLarge) }

// serve owns the link: it takes requests on the socket and keeps the schedule.
func serve(ctx context.Context, c config.Sender, log zerolog.Logger) error {
	s, err := newService(c, log, comesBack)
	if err != nil {
		return err
	}
	s.standing.started = time.Now().UTC()
	l, err := control.Listen(c.Socket)
	if err != nil {
		s.close()
		return err
	}
	log.Info().Str(event.Field, event.Started).Stringer("to", c.To).Int("sources", len(c.Sources)).
		Stringer("rate", c.Rate).Int("lanes", len(s.links)).Bool("gso", s.links[0].GSO()).Msg(startedWords)
	err = s.with(ctx, func(ctx context.Context) error {
		if c.Metrics != "" {
			defer s.measuring(ctx)()
		}
		go s.schedule(ctx)
		go s.sender.Passes(ctx)
		return control.Serve(ctx, l, s.handle)
	})
	log.Info().Str(event.Field, event.Stopped).Msg(stoppedWords)
	return err
}

// schedule sends each source when it is due. One that failed is due again after
// retryAfter, not after its whole period.
func (s *service) schedule(ctx context.Context) {
	if len(s.config.Sources) == 0 {
		return
	}
	due := make([]time.Time, len(s.config.Sources))
	for i, src := range s.config.Sources {
		due[i] = s.sender.Due(src.Name, time.Duration(src.Every))
	}
	for {
		now := time.Now()
		next := first(due, s.config.Sources, now)
		wait := due[next].Sub(now.Round(0))
		select {
		case <-time.After(min(wait, lookEvery)):
		case <-ctx.Done():
			return
		}
		if wait <= lookEvery {
			due[next] = s.send(ctx, s.config.Sources[next])
		}
	}
}

// lookEvery is the longest time between two looks at the clock: it may be set, and it
// goes on while the host sleeps, when timers do not.
const lookEvery = time.Minute

// first returns the source that is due first, by the wall clock. One that would wait
// for longer than its period, as the clock was set back, is due now.
func first(due []time.Time, sources []config.Source, now time.Time) (next int) {
	now = now.Round(0)
	for i := range due {
		if due[i] = due[i].Round(0); due[i].After(now.Add(time.Duration(sources[i].Every))) {
			due[i] = now
		}
		if due[i].Before(due[next]) {
			next = i
		}
	}
	return next
}

// retryAfter is how long after a failure a source is tried again, unless its
// period is shorter.
const retryAfter = 5 * time.Minute

// send sends one source and returns when it is due again.
func (s *service) send(ctx context.Context, src config.Source) time.Time {
	start := time.Now()
	res, err := s.push(ctx, sender.Job{Source: src.Name, Paths: src.Path, Exclude: src.Exclude, Compress: src.Compress == config.CompressAuto})
	if err != nil {
		if ctx.Err() == nil {
			s.log.Error().Str(event.Field, event.SnapshotFailed).Str("source", src.Name).Err(err).Msg("a snapshot could not be sent")
		}
		return start.Add(min(time.Duration(src.Every), retryAfter))
	}
	s.log.Info().Str(event.Field, event.SnapshotSent).Str("snapshot", fmt.Sprintf("%s/%s/%s", s.config.Name, src.Name, res.Name())).
		Int64("files", res.Files).Int64("bytes", res.Bytes).Int64("sent_files", res.SentFiles).Int64("sent_bytes", res.SentBytes).
		Int64("wire_bytes", res.WireBytes).Int64("problems", res.Problems).Dur("took", res.Duration).Msg("sent; whether it arrived only the vault knows")
	return start.Add(time.Duration(src.Every))
}
