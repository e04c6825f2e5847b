package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/exit"
	"weir/internal/expectation"
	"weir/internal/report"
	"weir/internal/status"
)

// watchEvery is how often --watch looks again.
const watchEvery = 2 * time.Second

func statusCommand(p *place) *cobra.Command {
	var watch, asJSON bool
	cmd := &cobra.Command{Use: "status", Short: statusShort, Long: statusLong, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.BoolVar(&watch, "watch", false, watchFlag)
	f.BoolVar(&asJSON, "json", false, jsonFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for {
			s, err := p.status()
			if err != nil {
				return err
			}
			if watch && term.IsTerminal(int(os.Stdout.Fd())) {
				fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
			}
			if err := printStatus(cmd.OutOrStdout(), s, asJSON); err != nil {
				return err
			}
			if !watch {
				return verdict(s)
			}
			select {
			case <-time.After(watchEvery):
			case <-cmd.Context().Done():
				return nil
			}
		}
	}
	return cmd
}

// shown is how things stand, and who says so.
type shown struct {
	*status.Status
	running bool  // the receiver does
	torn    error // what it wrote cannot be read
}

// status returns what the receiver has written; where none runs, or that is torn, what
// the tree tells, with the alarms and links that were last written.
func (p *place) status() (s shown, err error) {
	dir, err := p.dir()
	if err != nil {
		return s, err
	}
	from, err := p.statusDir(dir)
	if err != nil {
		return s, err
	}
	last, err := status.Read(from)
	switch {
	case err == nil && !last.Stale(time.Now()):
		return shown{last, true, nil}, nil
	case errors.Is(err, status.ErrTorn):
		s.torn = err
	case err != nil && !errors.Is(err, status.ErrNone):
		return s, err
	}
	host, _ := os.Hostname()
	s.Status, err = report.Tree(report.Config{
		Vault: dir, Host: host, Now: time.Now, Rule: func(string, string) expectation.Rule { return expectation.Rule{} },
	})
	if err == nil && last != nil {
		s.Started, s.Alarms, s.Senders, s.Scrub, s.Attested = last.Written, standing(last.Alarms, s.Alarms), last.Senders, last.Scrub, last.Attested
	}
	return s, err
}

// statusDir returns the directory in which the receiver writes how things stand.
func (p *place) statusDir(dir string) (string, error) {
	if p.vault != "" && !p.given() {
		return filepath.Join(dir, config.StatusDir), nil
	}
	c, err := p.receiver()
	return c.Status, err
}

// standing returns the alarms that were on when the receiver ended, with those of
// the tree as they are now.
func standing(last, tree []expectation.Alarm) []expectation.Alarm {
	kept := slices.DeleteFunc(last, func(a expectation.Alarm) bool { return a.Event == event.SourceDoubtful })
	return append(kept, tree...)
}

func printStatus(w io.Writer, s shown, asJSON bool) error {
	if asJSON {
		return printJSON(w, s.Status)
	}
	switch {
	case s.torn != nil:
		fmt.Fprintln(w, statusTorn)
	case !s.running:
		fmt.Fprintln(w, statusNone)
	}
	status.WriteText(w, s.Status)
	return nil
}

// verdict makes alarms, and what is damaged, the exit code.
func verdict(s shown) error {
	if s.torn != nil {
		return exit.With(exit.Damaged, s.torn)
	}
	if n := len(s.Alarms); n > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(statusBad, n))
	}
	return nil
}
