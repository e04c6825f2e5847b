package exit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Execute runs the command line under root and returns the exit code. The
// context of the command ends with SIGINT and SIGTERM. An error goes to the
// command's stderr, each of its lines with the program's name. Errors that
// cobra finds before a command begins (flags, arguments, unknown commands)
// are Usage.
func Execute(root *cobra.Command) int {
	root.SilenceUsage, root.SilenceErrors = true, true
	if root.Version == "" {
		root.Version = version()
	}
	began := false
	mark(root, &began)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out := &output{w: root.OutOrStdout()}
	root.SetOut(out)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.err
	}
	if err == nil {
		return Good
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %s\n", root.Name(), strings.TrimRight(line, "\n"))
	}
	var coded *Error
	if !began && !errors.As(err, &coded) {
		if cmd.Runnable() {
			fmt.Fprintf(root.ErrOrStderr(), "Usage: %s\n", cmd.UseLine())
		}
		fmt.Fprintf(root.ErrOrStderr(), "See `%s --help`.\n", cmd.CommandPath())
		return Usage
	}
	return Code(err)
}

// output remembers the first error: what could not be written was not told.
type output struct {
	w   io.Writer
	err error
}

// Write writes.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("writing the output: %w", err)
	}
	return n, err
}

// mark wraps the run function of every command to note that one began.
func mark(cmd *cobra.Command, began *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		mark(sub, began)
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return info.Main.Version + " " + s.Value
		}
	}
	return info.Main.Version
}
