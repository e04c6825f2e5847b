package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"weir/internal/expectation"
)

// StaleAfter is how long after it should have been written anew a status counts
// as left over from a receiver that no longer runs.
const StaleAfter = 15 * time.Second

// Stale reports whether no receiver keeps the status up to date.
func (s *Status) Stale(now time.Time) bool {
	return now.Sub(s.Written) > seconds(s.Every)+StaleAfter
}

// WriteText writes the status for a terminal. Errors are left to the Writer to
// remember.
func WriteText(w io.Writer, s *Status) {
	v := newView(s)
	fmt.Fprintf(w, "%s, vault %s, as of %s\n\n", v.Host, v.Vault, v.Written)
	v.textVerdict(w)
	v.textSources(w)
	v.textMoving(w)
	v.textMissing(w)
	v.textLinks(w)
	if s.Disk.Total > 0 {
		fmt.Fprintf(w, "\nDISK      %s %s\n", v.DiskText, v.DiskForecast)
	}
	fmt.Fprintf(w, "CHECKS    %s %s\n", v.ScrubText, v.AttestedText)
}

func (v *view) textVerdict(w io.Writer) {
	switch {
	case v.Good:
		fmt.Fprintf(w, "ALL IS AS EXPECTED: %s.\n", v.Summary)
		return
	case len(v.Alarms) == 1:
		fmt.Fprintf(w, "ONE THING IS NOT AS EXPECTED; %s.\n", v.Summary)
	default:
		fmt.Fprintf(w, "%d THINGS ARE NOT AS EXPECTED; %s.\n", len(v.Alarms), v.Summary)
	}
	for _, a := range v.Alarms {
		fmt.Fprintf(w, "  %s %s, since %s:\n    %s\n", a.Event, a.Subject, a.Since, a.Text)
	}
}

// table writes rows under a head, in columns.
func table(w io.Writer, head string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s\n", head)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	t.Flush()
}

func (v *view) textSources(w io.Writer) {
	var rows [][]string
	for i := range v.Sources {
		src := &v.Sources[i]
		row := []string{src.Name, "none", "-", or(src.Expect, "-"), fmt.Sprint(src.Whole), fmt.Sprint(src.Partial), "-", ""}
		if src.Newest != "" {
			row[1], row[2], row[6] = src.Newest, src.Age, src.Holds
		}
		var remarks []string
		if src.Overdue {
			remarks = append(remarks, "OVERDUE")
		}
		remarks = append(remarks, src.Doubts...)
		if src.Abandoned > 0 {
			remarks = append(remarks, fmt.Sprintf("%d abandoned", src.Abandoned))
		}
		row[7] = strings.Join(remarks, ", ")
		rows = append(rows, row)
	}
	table(w, "SOURCE\tNEWEST WHOLE\tAGE\tEXPECTED EVERY\tWHOLE\tNOT WHOLE\tHOLDS\t", rows)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func (v *view) textMoving(w io.Writer) {
	var rows [][]string
	for _, m := range v.Moving {
		rows = append(rows, []string{m.Snapshot, m.Bytes, m.Rate, m.For})
	}
	table(w, "ARRIVING NOW\tRECEIVED\tRATE\tFOR", rows)
}

func (v *view) textMissing(w io.Writer) {
	if len(v.Missing) > 0 {
		fmt.Fprintln(w, "\nNOT WHOLE")
	}
	for _, m := range v.Missing {
		fmt.Fprintf(w, "%s, since %s\n  %s\n", m.Snapshot, m.Since, m.Lacks)
		if m.Code != "" {
			fmt.Fprintf(w, "  at the sender: weir-send resend %s\n", m.Code)
		}
	}
	if v.MoreMissing != "" {
		fmt.Fprintln(w, v.MoreMissing)
	}
}

func (v *view) textLinks(w io.Writer) {
	var rows [][]string
	for i := range v.Senders {
		l := &v.Senders[i]
		rows = append(rows, []string{l.Name, l.Heard, l.Loss, l.Longest, l.Bridged, l.Skew})
	}
	table(w, "LINK OF\tHEARD\tLOSS 24 H\tLONGEST OUTAGE\tPARITY BRIDGES\tCLOCK", rows)
	for i := range v.Senders {
		for _, advice := range v.Senders[i].Advice {
			fmt.Fprintf(w, "  %s: %s\n", v.Senders[i].Name, advice)
		}
	}
}

// Ago says how old the status is.
func (s *Status) Ago(now time.Time) string { return expectation.Spell(now.Sub(s.Written)) }
