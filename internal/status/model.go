// Package status is what a receiver tells about itself and its vault, in files:
//
//	status.json  everything, as the type Status says it
//	weir.prom    Prometheus text format, for a textfile collector
//	status.html  a page for people, alone in one file: no script, nothing loaded
//
// Each is replaced as a whole. Whoever reads them must look at their age: a
// receiver that does not run writes nothing. In status.json `written` says when
// and `every_seconds` how often; in weir.prom weir_status_written_seconds does.
//
// Names in it come over the link. They are escaped in every form.
//
// # Metrics
//
// All are gauges but those that end in _total. Times are Unix seconds.
//
//	weir_status_written_seconds                      when this file was written
//	weir_started_seconds                             when the receiver started
//	weir_alarms                                      that are on
//	weir_alarm{event,subject}                        1 for each alarm that is on
//	weir_source_newest_seconds{sender,source}        the state that the newest whole restore point holds
//	weir_source_expect_every_seconds{sender,source}  as configured
//	weir_source_whole{sender,source}                 restore points that are whole
//	weir_source_not_whole{sender,source}             snapshots that are not
//	weir_source_abandoned{sender,source}             snapshots that the sender will never finish
//	weir_source_bytes{sender,source}                 of the newest whole restore point
//	weir_source_missing_bytes{sender,source}         of the snapshots that are not whole
//	weir_sender_heard_seconds{sender}                the last authentic frame
//	weir_sender_clock_skew_seconds{sender}           the vault's clock less the sender's
//	weir_link_frames_received_total{sender}          since the receiver started
//	weir_link_frames_lost_total{sender}              since the receiver started
//	weir_link_loss_ratio{sender}                     of the last day
//	weir_link_longest_outage_seconds{sender}         of the last day
//	weir_link_bridged_seconds{sender}                outage that parity heals
//	weir_link_narrow{sender}                         1 where parity does not bridge what was lost, or hardly
//	weir_lane_heard_seconds{link}                    the last authentic frame, of each lane of a sender with several
//	weir_lane_loss_ratio{link}                       of the last day, of each lane of a sender with several
//	weir_lane_longest_outage_seconds{link}           of the last day
//	weir_frames_dropped_total{reason}                datagrams that were not used
//	weir_socket_dropped_total                        frames for which the receive buffer had no room
//	weir_interface_dropped_total                     packets lost at the network card
//	weir_disk_total_bytes, weir_disk_free_bytes      of the vault's file system
//	weir_disk_min_free_bytes                         that stay free
//	weir_disk_full_seconds                           until it is full; absent where not foreseen
//	weir_scrub_finished_seconds                      when a scrub last read everything; absent before
package status

import (
	"slices"
	"time"

	"weir/internal/expectation"
	"weir/internal/linkquality"
)

// Names of the files.
const (
	JSONFile = "status.json"
	PromFile = "weir.prom"
	HTMLFile = "status.html"
)

// Version is the version of the form of status.json. Fields may be added to it;
// none changes its meaning.
const Version = 1

// Status is everything.
type Status struct {
	Version  int                 `json:"version"`
	Written  time.Time           `json:"written"`       // the vault's clock
	Every    float64             `json:"every_seconds"` // between two writings
	Host     string              `json:"host"`
	Vault    string              `json:"vault"`
	Tool     string              `json:"tool"`
	Started  time.Time           `json:"started"`
	Sources  []Source            `json:"sources"`
	Moving   []Transfer          `json:"transfers"`
	Missing  []Missing           `json:"missing"`
	Senders  []Sender            `json:"senders"`
	Disk     Disk                `json:"disk"`
	Scrub    *Scrub              `json:"scrub,omitempty"`
	Alarms   []expectation.Alarm `json:"alarms"`
	Receiver Receiver            `json:"receiver"`
	Attested string              `json:"attested"` // day of the newest attestation, "" for none
}

// Good reports whether nothing is wrong.
func (s *Status) Good() bool { return len(s.Alarms) == 0 }

// alarmed reports whether the alarm is on.
func (s *Status) alarmed(event, subject string) bool {
	return slices.ContainsFunc(s.Alarms, func(a expectation.Alarm) bool { return a.Event == event && a.Subject == subject })
}

// Source is one source and its restore points.
type Source struct {
	Sender  string  `json:"sender"`
	Source  string  `json:"source"`
	Newest  *Point  `json:"newest,omitempty"` // whole
	Age     float64 `json:"age_seconds"`      // of the newest; 0 without one
	Every   float64 `json:"expect_every_seconds,omitempty"`
	Overdue bool    `json:"overdue"`
	Whole   int     `json:"whole"`
	Partial int     `json:"not_whole"`
	// Abandoned counts snapshots that the sender never finished and will not.
	Abandoned int   `json:"abandoned,omitempty"`
	Days      []Day `json:"days"` // of the last CalendarDays, the oldest first; days without snapshots left out
}

// CalendarDays is how far back Source.Days goes.
const CalendarDays = 84

// Day is the snapshots that were taken on one day.
type Day struct {
	Day     string `json:"day"` // UTC
	Whole   int    `json:"whole"`
	Partial int    `json:"not_whole"`
}

// Point is a restore point.
type Point struct {
	Name     string    `json:"name"`
	Number   uint64    `json:"number"`
	Taken    time.Time `json:"taken"`
	Received time.Time `json:"received"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Problems int64     `json:"problems"`
	// Suspicious says why it may be what an attacker wants, until an operator
	// accepts it.
	Suspicious []string `json:"suspicious,omitempty"`
	// Revoked is when the key that signed it was revoked, if it was.
	Revoked time.Time `json:"signer_revoked,omitzero"`
}

// Transfer is a snapshot of which something comes.
type Transfer struct {
	Snapshot string    `json:"snapshot"`
	Bytes    int64     `json:"bytes"` // of content, since it began to come
	Rate     float64   `json:"bytes_per_second"`
	Began    time.Time `json:"began"`
	Last     time.Time `json:"last"`
}

// Missing is a snapshot that is not whole and of which nothing comes.
type Missing struct {
	Snapshot string        `json:"snapshot"`
	Since    time.Time     `json:"since"`
	Manifest bool          `json:"manifest"` // it is there; without it nobody knows what lacks
	Files    int64         `json:"files"`
	Bytes    int64         `json:"bytes"`
	First    []MissingFile `json:"first"` // the first few files
	Code     string        `json:"code,omitempty"`
	// Building: its manifest has come, nothing is known to lack, and it is checked and
	// built; nobody need do anything.
	Building bool `json:"building,omitempty"`
}

// MissingFile is a file that is not whole.
type MissingFile struct {
	Path  string `json:"path"` // as the sender named it
	Bytes int64  `json:"bytes"`
}

// Sender is a trusted sender and its link.
type Sender struct {
	Name  string              `json:"name"`
	Heard time.Time           `json:"heard,omitzero"`
	Skew  float64             `json:"clock_skew_seconds"`
	Total Frames              `json:"frames"` // since the receiver started
	Day   linkquality.Quality `json:"day"`
	Month linkquality.Quality `json:"month"`
	Fine  []Bar               `json:"series_day"`   // by time
	Hours []Bar               `json:"series_month"` // by time
	// Lanes are the links of a sender that has several, named as LaneName says. Of
	// each only what concerns the link is known; one that is silent has an alarm.
	Lanes []Sender `json:"lanes,omitempty"`
}

// Frames counts frames.
type Frames struct {
	Received uint64 `json:"received"`
	Lost     uint64 `json:"lost"`
}

// Bar is a stretch of the link's past.
type Bar struct {
	Start    int64  `json:"t"` // Unix time, seconds
	Received uint64 `json:"received"`
	Lost     uint64 `json:"lost"`
	Longest  uint64 `json:"longest"`
}

// Disk is the vault's file system.
type Disk struct {
	Total   int64   `json:"total"` // bytes
	Free    int64   `json:"free"`
	MinFree int64   `json:"min_free"`
	PerDay  float64 `json:"bytes_per_day"`          // by which it fills; 0 before enough is known
	Full    float64 `json:"full_seconds,omitempty"` // until it is full; 0 where that is not foreseen
}

// Scrub is the last reading of everything that is stored.
type Scrub struct {
	Finished time.Time `json:"finished,omitzero"`
	Objects  int64     `json:"objects"`
	Damaged  int64     `json:"damaged"` // objects and restore points
	Running  bool      `json:"running"`
	Done     float64   `json:"done"` // share, while it runs
}

// Receiver counts what became of datagrams since the start.
type Receiver struct {
	Datagrams uint64            `json:"datagrams"`
	Dropped   map[string]uint64 `json:"dropped"` // by reason
	Socket    uint64            `json:"socket_dropped"`
	Interface uint64            `json:"interface_dropped"`
	Buffer    int               `json:"buffer"` // bytes
}
