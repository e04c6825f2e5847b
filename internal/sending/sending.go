// Package sending is what a sender can tell about itself: what it sent, how often,
// and what is next. It never tells what arrived.
//
// # Metrics
//
// All are gauges but those that end in _total. Times are Unix seconds.
//
//	weir_send_written_seconds                 when this file was written
//	weir_send_started_seconds                 when the service started
//	weir_send_wire_bytes_total                put on the wire since the start, Ethernet included
//	weir_send_datagrams_total                 handed to the kernel since the start
//	weir_send_refused_total                   of them answered by this host's network: nobody listens there
//	weir_send_queue_full_total                times that the device's queue was full
//	weir_send_spool_bytes, weir_send_spool_objects  kept to be sent again
//	weir_send_snapshot_seconds{source}        when the newest snapshot that was sent was taken
//	weir_send_snapshot_number{source}         its number
//	weir_send_files{source}, weir_send_bytes{source}  in it
//	weir_send_passes{source}                  how often it was sent
//	weir_send_passes_wanted                   how often each is to be sent
//	weir_send_owed_bytes{source}              that its last pass could not send
//	weir_send_problems{source}                files that changed, vanished or could not be read, since the start
//	weir_send_failed{source}                  1 where the last try ended with an error
package sending

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"weir/internal/count"
	"weir/internal/textfile"
)

// Status is everything.
type Status struct {
	Written time.Time `json:"written"`
	Started time.Time `json:"started,omitzero"` // zero: no service runs
	Name    string    `json:"name"`
	To      string    `json:"to"`
	Rate    string    `json:"rate"`
	Passes  int       `json:"passes_wanted"`
	Sources []Source  `json:"sources"`
	Link    Link      `json:"link"`
	Spool   Spool     `json:"spool"`
}

// Running reports whether the status is of a service.
func (s *Status) Running() bool { return !s.Started.IsZero() }

// Link counts what left since the start.
type Link struct {
	Wire      uint64 `json:"wire_bytes"` // Ethernet included
	Datagrams uint64 `json:"datagrams"`
	Refused   uint64 `json:"refused"`    // nobody listens there, this host's network says
	Full      uint64 `json:"queue_full"` // the device's queue was full
}

// Spool is what is kept to be sent again.
type Spool struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Source is one source. Number 0 says that nothing of it was sent.
type Source struct {
	Name     string        `json:"name"`
	Every    time.Duration `json:"every_ns,omitempty"` // 0: it is not in the schedule
	Snapshot string        `json:"snapshot"`           // the newest that was sent
	Number   uint64        `json:"number"`
	Taken    time.Time     `json:"taken,omitzero"`
	Files    int64         `json:"files"`
	Bytes    int64         `json:"bytes"`
	Passes   int           `json:"passes"`
	Next     time.Time     `json:"next_pass,omitzero"`
	Owed     int64         `json:"owed_bytes"`
	Problems int64         `json:"problems"` // since the start
	Failed   string        `json:"failed,omitempty"`
}

// WriteMetrics writes what the package comment lists.
func WriteMetrics(w io.Writer, s *Status) {
	m := textfile.Metrics{W: w}
	m.Single("weir_send_written_seconds", "Time of this file.", float64(s.Written.Unix()))
	m.Single("weir_send_started_seconds", "Time when the service started.", float64(s.Started.Unix()))
	m.Single("weir_send_wire_bytes_total", "Bytes put on the wire.", float64(s.Link.Wire))
	m.Single("weir_send_datagrams_total", "Datagrams handed to the kernel.", float64(s.Link.Datagrams))
	m.Single("weir_send_refused_total", "Datagrams of which this host's network said that nobody listens there.", float64(s.Link.Refused))
	m.Single("weir_send_queue_full_total", "Times that the device's queue was full.", float64(s.Link.Full))
	m.Single("weir_send_spool_bytes", "Bytes kept to be sent again.", float64(s.Spool.Bytes))
	m.Single("weir_send_spool_objects", "Objects kept to be sent again.", float64(s.Spool.Objects))
	m.Single("weir_send_passes_wanted", "How often each snapshot is to be sent.", float64(s.Passes))
	sent := func(v func(*Source) float64) func(*Source) (float64, bool) {
		return func(s *Source) (float64, bool) { return v(s), s.Number > 0 }
	}
	for _, f := range []struct {
		name, help string
		value      func(*Source) (float64, bool)
	}{
		{"weir_send_snapshot_seconds", "Time when the newest snapshot that was sent was taken.", sent(func(s *Source) float64 { return float64(s.Taken.Unix()) })},
		{"weir_send_snapshot_number", "Number of the newest snapshot that was sent.", sent(func(s *Source) float64 { return float64(s.Number) })},
		{"weir_send_files", "Files in it.", sent(func(s *Source) float64 { return float64(s.Files) })},
		{"weir_send_bytes", "Bytes in it.", sent(func(s *Source) float64 { return float64(s.Bytes) })},
		{"weir_send_passes", "How often it was sent.", sent(func(s *Source) float64 { return float64(s.Passes) })},
		{"weir_send_owed_bytes", "Bytes that its last pass could not send.", sent(func(s *Source) float64 { return float64(s.Owed) })},
		{"weir_send_problems", "Files that changed, vanished or could not be read, since the start.", func(s *Source) (float64, bool) { return float64(s.Problems), true }},
		{"weir_send_failed", "Whether the last try ended with an error.", func(s *Source) (float64, bool) {
			if s.Failed != "" {
				return 1, true
			}
			return 0, true
		}},
	} {
		m.Head(f.name, f.help)
		for i := range s.Sources {
			if v, ok := f.value(&s.Sources[i]); ok {
				m.Value(f.name, v, textfile.Label{Name: "source", Value: s.Sources[i].Name})
			}
		}
	}
}

// WriteText writes the status for a terminal. Errors are left to the Writer to
// remember.
func WriteText(w io.Writer, s *Status) {
	if s.Running() {
		fmt.Fprintf(w, "%s sends to %s at %s, since %s.\n", s.Name, s.To, s.Rate, minute(s.Started))
		fmt.Fprintf(w, "%s on the wire in %s datagrams; the kernel refused %s, the device's queue was full %s times.\n",
			humanize.IBytes(s.Link.Wire), humanize.Comma(int64(s.Link.Datagrams)), humanize.Comma(int64(s.Link.Refused)), humanize.Comma(int64(s.Link.Full)))
	} else {
		fmt.Fprintf(w, "NO weir-send run IS ACTIVE for %s: nothing is sent by itself. This is what was sent before.\n", s.Name)
	}
	if s.Spool.Objects > 0 {
		fmt.Fprintf(w, "Kept to be sent again: %s in %s.\n", humanize.IBytes(uint64(max(s.Spool.Bytes, 0))), count.Of(s.Spool.Objects, "object"))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSOURCE\tEVERY\tLAST SENT\tFILES\tSIZE\tPASSES\tNEXT PASS\tREMARKS")
	for i := range s.Sources {
		fmt.Fprintln(t, s.Sources[i].row(s.Passes))
	}
	t.Flush()
	fmt.Fprintln(w, "\nSent is not stored: whether it arrived only the vault knows.")
}

func (s *Source) row(wanted int) string {
	every, next, remarks := "-", "-", ""
	if s.Every > 0 {
		every = s.Every.String()
	}
	if !s.Next.IsZero() {
		next = minute(s.Next)
	}
	switch {
	case s.Failed != "":
		remarks = "FAILED: " + s.Failed
	case s.Problems > 0:
		remarks = count.Of(s.Problems, "file") + " with trouble"
	}
	if s.Owed > 0 {
		remarks += fmt.Sprintf(" %s could not be sent again", humanize.IBytes(uint64(s.Owed)))
	}
	if s.Number == 0 {
		return fmt.Sprintf("%s\t%s\tnothing\t-\t-\t-\t-\t%s", s.Name, every, remarks)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d of %d\t%s\t%s", s.Name, every, s.Snapshot, humanize.Comma(s.Files),
		humanize.IBytes(uint64(max(s.Bytes, 0))), s.Passes, max(wanted, s.Passes), next, remarks)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
