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
			s, running, err := p.status()
			if err != nil {
				return err
			}
			if watch && term.IsTerminal(int(os.Stdout.Fd())) {
				fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
			}
			if err := printStatus(cmd.OutOrStdout(), s, running, asJSON); err != nil {
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

// status returns what the receiver has written; where none runs, what the tree
// tells, with the alarms and links that were last written.
func (p *place) status() (s *status.Status, running bool, err error) {
	dir, err := p.dir()
	if err != nil {
		return nil, false, err
	}
	from := filepath.Join(dir, config.StatusDir)
	if p.vault == "" {
		if c, err := config.LoadReceiver(p.config); err == nil {
			from = c.Status
		}
	}
	last, err := status.Read(from)
	if err == nil && !last.Stale(time.Now()) {
		return last, true, nil
	}
	if err != nil && !errors.Is(err, status.ErrNone) {
		return nil, false, err
	}
	host, _ := os.Hostname()
	s, terr := report.Tree(report.Config{
		Vault: dir, Host: host, Now: time.Now, Rule: func(string, string) expectation.Rule { return expectation.Rule{} },
	})
	if terr != nil {
		return nil, false, terr
	}
	if last != nil {
		s.Started, s.Alarms, s.Senders, s.Scrub, s.Attested = last.Written, standing(last.Alarms, s.Alarms), last.Senders, last.Scrub, last.Attested
	}
	return s, false, nil
}

// standing returns the alarms that were on when the receiver ended, with those of
// the tree as they are now.
func standing(last, tree []expectation.Alarm) []expectation.Alarm {
	kept := slices.DeleteFunc(last, func(a expectation.Alarm) bool { return a.Event == event.SourceDoubtful })
	return append(kept, tree...)
}

func printStatus(w io.Writer, s *status.Status, running, asJSON bool) error {
	if asJSON {
		return printJSON(w, s)
	}
	if !running {
		fmt.Fprintln(w, statusNone)
	}
	status.WriteText(w, s)
	return nil
}

// verdict makes alarms the exit code.
func verdict(s *status.Status) error {
	if n := len(s.Alarms); n > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(statusBad, n))
	}
	return nil
}
