package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/exit"
	"weir/internal/terminal"
)

// tick is how often the service looks at its clocks, and the longest that a
// receive call blocks.
const tick = 100 * time.Millisecond

// limits are what makes the service end by itself, for scripts.
type limits struct {
	after int           // whole restore points, 0 for no limit
	idle  time.Duration // without a datagram, 0 for no limit
}

func runCommand(path *string) *cobra.Command {
	var l limits
	cmd := &cobra.Command{Use: "run", Short: runShort, Long: runLong, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.IntVar(&l.after, "exit-after", 0, exitAfterFlag)
	f.DurationVar(&l.idle, "exit-idle", 0, exitIdleFlag)
	explainOnly := f.Bool("explain-confinement", false, explainFlag)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		s, err := newService(c, l, log)
		if err != nil {
			return err
		}
		layers, err := s.confine(c)
		switch {
		case err != nil:
			s.close()
			return err
		case *explainOnly:
			s.close()
			return explain(cmd.OutOrStdout(), layers)
		}
		s.started(c)
		return s.run(cmd.Context())
	}
	return cmd
}
