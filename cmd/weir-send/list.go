package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/control"
	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/terminal"
	"weir/sender"
)

func listCommand(path *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: listUse, Short: listShort, Long: listLong, Example: listExample,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, listJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		log, err := terminal.NewScreen(os.Stderr).Logger(c.LogLevel, c.LogFormat)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		r := control.Request{Action: control.List}
		if len(args) > 0 {
			r.Snap = strings.TrimPrefix(args[0], c.Name+"/")
		}
		var answer json.RawMessage
		if err := ask(cmd.Context(), c, log, r, control.Progress{}, &answer); err != nil {
			return err
		}
		return printList(cmd.OutOrStdout(), answer, r.Snap != "", asJSON)
	}
	return cmd
}

func printList(w io.Writer, answer json.RawMessage, files, asJSON bool) error {
	var o sender.Overview
	var list []sender.SentFile
	var detail any = &o
	if files {
		detail = &list
	}
	if err := json.Unmarshal(answer, detail); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch {
	case asJSON:
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(detail)
	case files:
		return printFiles(w, list)
	}
	return printOverview(w, &o)
}

func printFiles(w io.Writer, all []sender.SentFile) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, listFilesHead)
	for _, f := range all {
		fmt.Fprintf(t, "%d\t%s\t%s\t%q\n", f.Times, when(f.Last), humanize.IBytes(uint64(f.Size)), f.Path)
	}
	return t.Flush()
}

func printOverview(w io.Writer, o *sender.Overview) error {
	if len(o.Snapshots) == 0 {
		_, err := fmt.Fprintln(w, listEmpty)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, listHead)
	for _, s := range o.Snapshots {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", s.Snapshot, humanize.Comma(s.Files), humanize.IBytes(uint64(s.Bytes)),
			humanize.IBytes(uint64(s.NewBytes)), len(s.Passes), max(o.PassesWanted, len(s.Passes)), when(last(s.Passes)), when(s.Next), remarks(&s))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if o.SpoolMode == sender.SpoolNone && o.SpoolObjects == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, listSpool, count.Of(o.SpoolObjects, "object"), humanize.IBytes(uint64(o.SpoolBytes)), humanize.IBytes(uint64(o.SpoolLimit)))
	return err
}

// last returns when the last pass was done, the zero time if none was.
func last(passes []time.Time) (t time.Time) {
	if n := len(passes); n > 0 {
		t = passes[n-1]
	}
	return t
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func remarks(s *sender.Remembered) string {
	var words []string
	if s.Owed > 0 {
		words = append(words, fmt.Sprintf(listOwed, count.Of(s.Owed, "file"), humanize.IBytes(uint64(s.OwedBytes))))
	}
	if s.Resent > 0 || !s.ResentAt.IsZero() {
		words = append(words, fmt.Sprintf(listResent, humanize.IBytes(uint64(s.Resent)), when(s.ResentAt)))
	}
	if !s.Refresh.IsZero() {
		words = append(words, fmt.Sprintf(listRefresh, when(s.Refresh)))
	}
	return strings.Join(words, ", ")
}
