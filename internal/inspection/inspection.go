// Package inspection looks at a host before weir runs there: its interface to the
// one-way link, its limits, its clock and its disk. It only reads, and it says for
// each thing that is not as it should be which command mends it.
//
// What it looks at comes from proc(5) and sysfs(5) and from ioctl(2) calls that
// read, never from netlink(7): the vault's host must not need a socket that sends.
package inspection

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	OK   Severity = "ok"
	Warn Severity = "warn" // it works, but not as well or as safely as it could
	Bad  Severity = "bad"  // data will be lost, or the host sends
)

// Finding is one thing that was looked at.
type Finding struct {
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Why      string   `json:"why"`               // how it is, and what that leads to
	Command  string   `json:"command,omitempty"` // mends it; words in capitals are to be filled in
}

// Report is all that was found, in the order in which it was looked at.
type Report []Finding

// OK adds something that is as it should be.
func (r *Report) OK(what, why string, args ...any) {
	*r = append(*r, Finding{OK, what, fmt.Sprintf(why, args...), ""})
}

// Warn adds something that could be better, with the command that makes it so.
func (r *Report) Warn(what, command, why string, args ...any) {
	*r = append(*r, Finding{Warn, what, fmt.Sprintf(why, args...), command})
}

// Bad adds something that must be mended, with the command that does.
func (r *Report) Bad(what, command, why string, args ...any) {
	*r = append(*r, Finding{Bad, what, fmt.Sprintf(why, args...), command})
}

// Join adds the findings of another lane that are not there yet.
func (r *Report) Join(other Report) {
	for _, f := range other {
		if !slices.Contains(*r, f) {
			*r = append(*r, f)
		}
	}
}

// Count returns how many findings have the severity.
func (r Report) Count(s Severity) (n int) {
	for _, f := range r {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Write writes the report, for programs or for people.
func (r Report) Write(w io.Writer, asJSON bool) error {
	if asJSON {
		return r.JSON(w)
	}
	return r.Print(w)
}

// Print writes the report for people.
func (r Report) Print(w io.Writer) error {
	for _, f := range r {
		if _, err := fmt.Fprintf(w, "%-5s %-14s %s\n", f.Severity, f.What, f.Why); err != nil {
			return err
		}
		if f.Command != "" {
			fmt.Fprintf(w, "%20s $ %s\n", "", f.Command)
		}
	}
	_, err := fmt.Fprintf(w, "%d good, %d could be better, %d must be mended; nothing was changed\n", r.Count(OK), r.Count(Warn), r.Count(Bad))
	return err
}

// JSON writes the report for programs: an array of findings.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
