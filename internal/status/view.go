package status

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"weir/internal/count"
	"weir/internal/expectation"
	"weir/internal/qr"
)

// view is Status in the words and figures of the page.
type view struct {
	Good                       bool
	Host, Vault, Tool          string
	Written, WrittenISO        string
	Started, Every             string
	Summary                    string
	Alarms                     []alarmView
	Sources                    []sourceView
	CalendarWidth              int
	Weekdays                   []textView
	Moving                     []movingView
	Missing                    []missingView
	MoreMissing                string
	Senders                    []senderView
	DiskUsed                   float64 // per cent of the disk
	DiskReserve, DiskReserveAt float64
	DiskText, DiskForecast     string
	ScrubText, AttestedText    string
	ReceiverText               string
	Dropped                    []droppedView
}

type (
	alarmView   struct{ Event, Subject, Since, Text string }
	movingView  struct{ Snapshot, Bytes, Rate, For string }
	droppedView struct{ Reason, Count string }
	fileView    struct{ Path, Bytes string }
	textView    struct {
		X, Y  float64
		Class string
		Text  string
	}
	missingView struct {
		Snapshot, Lacks, Since, More, Code string
		First                              []fileView
		QR                                 string // an SVG element
	}
)

// missingShown bounds the snapshots that the page shows as not whole: a page is
// for people.
const missingShown = 20

func newView(s *Status) *view {
	v := &view{
		Good: s.Good(), Host: s.Host, Vault: s.Vault, Tool: s.Tool,
		Written: s.Written.UTC().Format("2006-01-02 15:04:05"), WrittenISO: s.Written.UTC().Format(time.RFC3339),
		Started: minute(s.Started), Every: expectation.Spell(seconds(s.Every)),
		CalendarWidth: calendarWidth, Weekdays: weekdays(),
	}
	for _, a := range s.Alarms {
		v.Alarms = append(v.Alarms, alarmView{a.Event, a.Subject, minute(a.Since), a.Text})
	}
	v.rankSources(s)
	for _, m := range s.Moving {
		v.Moving = append(v.Moving, movingView{m.Snapshot, size(m.Bytes), size(int64(m.Rate)) + "/s", expectation.Spell(m.Last.Sub(m.Began))})
	}
	for i := range s.Missing[:min(len(s.Missing), missingShown)] {
		v.Missing = append(v.Missing, newMissingView(&s.Missing[i]))
	}
	if more := len(s.Missing) - missingShown; more > 0 {
		v.MoreMissing = fmt.Sprintf("%d more: weir-vault list", more)
	}
	v.rankLinks(s)
	v.summary(s)
	v.disk(&s.Disk)
	v.checks(s)
	v.receiver(&s.Receiver)
	return v
}

func (v *view) summary(s *Status) {
	whole, partial := 0, 0
	for i := range s.Sources {
		whole, partial = whole+s.Sources[i].Whole, partial+s.Sources[i].Partial
	}
	v.Summary = fmt.Sprintf("%s, %s whole", count.Of(len(s.Sources), "source"), count.Of(whole, "restore point"))
	if partial > 0 {
		v.Summary += fmt.Sprintf(", %s not whole", count.Of(partial, "snapshot"))
	}
	if n := doubtful(s); n > 0 {
		v.Summary += fmt.Sprintf(", the newest of %s is not to be trusted unseen", count.Of(n, "source"))
	}
	if len(s.Moving) > 0 {
		v.Summary += fmt.Sprintf(", %d arriving now", len(s.Moving))
	}
}

func (v *view) disk(d *Disk) {
	if d.Total <= 0 {
		v.DiskText = "The size of the disk is not known."
		return
	}
	percent := func(n int64) float64 { return float64(min(max(n, 0), d.Total)) * 100 / float64(d.Total) }
	v.DiskUsed = figure(percent(d.Total - d.Free))
	v.DiskReserve = figure(percent(d.MinFree))
	v.DiskReserveAt = figure(100 - v.DiskReserve)
	v.DiskText = fmt.Sprintf("%s of %s free.", size(d.Free), size(d.Total))
	if d.MinFree > 0 {
		v.DiskText = fmt.Sprintf("%s of %s free, %s of it stay free.", size(d.Free), size(d.Total), size(d.MinFree))
	}
	switch {
	case d.Full > 0:
		v.DiskForecast = fmt.Sprintf("It fills by %s a day and is full in %s.", size(int64(d.PerDay)), expectation.Spell(seconds(d.Full)))
	case d.PerDay > 0:
		v.DiskForecast = fmt.Sprintf("It fills by %s a day.", size(int64(d.PerDay)))
	case d.PerDay < 0:
		v.DiskForecast = "It does not fill up at present."
	default:
		v.DiskForecast = "A forecast needs a day of watching."
	}
}

func (v *view) checks(s *Status) {
	v.ScrubText = scrubText(s)
	v.AttestedText = "Nothing has been attested yet."
	if s.Attested != "" {
		v.AttestedText = fmt.Sprintf("Last attestation: %s.", s.Attested)
	}
}

func scrubText(s *Status) string {
	c := s.Scrub
	if c == nil {
		return "Nothing has been read again yet: weir-vault scrub."
	}
	found := "nothing damaged was found"
	if c.Damaged > 0 {
		found = fmt.Sprintf("DAMAGE WAS FOUND in %s: weir-vault scrub", count.Of(int(c.Damaged), "place"))
	}
	text := ""
	if c.Running {
		text = fmt.Sprintf("Everything is being read again, %.0f %% so far; %s. ", 100*c.Done, found)
	}
	switch {
	case c.Finished.IsZero():
	case c.Running:
		text += fmt.Sprintf("The last time ended %s ago.", ago(s.Written, c.Finished))
	default:
		text += fmt.Sprintf("Everything was read again %s ago, %s; %s.", ago(s.Written, c.Finished), count.Of(int(c.Objects), "object"), found)
	}
	return strings.TrimSpace(text)
}

func (v *view) receiver(r *Receiver) {
	v.ReceiverText = fmt.Sprintf("%s datagrams since the start, receive buffer %s; lost on this host: %s in the buffer, %s at the network card, %s as the disk was slower than the link.",
		comma(r.Datagrams), size(int64(r.Buffer)), comma(r.Socket), comma(r.Interface), comma(r.Dropped[slowDisk]))
	for _, reason := range slices.Sorted(maps.Keys(r.Dropped)) {
		if n := r.Dropped[reason]; n > 0 {
			v.Dropped = append(v.Dropped, droppedView{reason, comma(n)})
		}
	}
}

// slowDisk is the reason for which frames are dropped that find no memory.
const slowDisk = "memory"

func newMissingView(m *Missing) missingView {
	v := missingView{Snapshot: m.Snapshot, Since: minute(m.Since), Code: m.Code}
	switch {
	case m.Building:
		v.Lacks = "Its manifest has come; it is being checked and built, which may take minutes."
	case !m.Manifest:
		v.Lacks = "Its manifest has not come, so what it should hold is not known."
	case m.Files == 0:
		v.Lacks = "What it lacks is not known yet."
	default:
		v.Lacks = fmt.Sprintf("%s, %s lacking.", count.Of(int(m.Files), "file"), size(m.Bytes))
	}
	for _, f := range m.First {
		v.First = append(v.First, fileView{strconv.Quote(f.Path), size(f.Bytes)})
	}
	if more := m.Files - int64(len(m.First)); more > 0 && len(m.First) > 0 {
		v.More = fmt.Sprintf("and %s more", humanize.Comma(more))
	}
	v.draw()
	return v
}

// draw makes the picture of the code.
func (m *missingView) draw() {
	if m.Code == "" {
		return
	}
	code, err := qr.New(m.Code)
	if err != nil {
		return // too long for a picture; the text is there
	}
	m.QR = code.SVG("QR code of the repair code")
}

func comma(n uint64) string { return humanize.Comma(int64(min(n, 1<<62))) }

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func ago(now, then time.Time) string { return expectation.Spell(now.Sub(then)) }

// figure cuts a figure to what a picture shows.
func figure(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }
