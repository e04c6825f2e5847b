package status

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/protocol"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// hostile is a name as a sender in an attacker's hands would choose it.
const hostile = `"><script>alert(1)</script>` + "\n\x00\u202e\xff"

// sample is a vault with everything that a page can show.
func sample() *Status {
	s := &Status{
		Version: Version, Written: noon, Every: 5, Host: "vault-1", Vault: "/srv/vault", Tool: "weir-recv v1.0.0", Started: noon.Add(-50 * time.Hour),
		Attested: "2026-11-24", Disk: Disk{Total: 4e12, Free: 9e11, MinFree: 2e11, PerDay: 6e10, Full: 11.6 * 86400},
		Scrub:    &Scrub{Finished: noon.Add(-70 * time.Hour), Objects: 812345},
		Receiver: Receiver{Datagrams: 123456789, Buffer: 64 << 20, Socket: 12, Dropped: map[string]uint64{"surplus": 9123, "forged": 2}},
	}
	s.Sources = []Source{
		source("prod", "etc", 3*time.Hour, 24*time.Hour, 41, 0),
		source("prod", "database-cluster-01", 52*time.Hour, 24*time.Hour, 39, 2),
		source("branch-office-lisbon", "home", 20*time.Minute, 0, 12, 0),
		{Sender: "prod", Source: "mail", Every: 86400, Overdue: true, Partial: 1},
	}
	s.Moving = []Transfer{{Snapshot: "prod/database-cluster-01/2026-11-24T110000Z.000042", Bytes: 3 << 38, Rate: 9.8e7, Began: noon.Add(-3 * time.Hour), Last: noon}}
	s.Missing = []Missing{
		{Snapshot: "prod/database-cluster-01/2026-11-23T010000Z.000041", Since: noon.Add(-30 * time.Hour), Manifest: true, Files: 4, Bytes: 5 << 20,
			First: []MissingFile{{"base/16384/2619", 1 << 20}, {hostile, 4 << 20}}, Code: "7KX4-9QZM2-B8F1T"},
		{Snapshot: "prod/mail/2026-11-22T010000Z.000003", Since: noon.Add(-60 * time.Hour)},
	}
	s.Senders = []Sender{link("prod", true), link("branch-office-lisbon", false), {Name: "new"}}
	s.Alarms = []expectation.Alarm{
		{Event: "source-overdue", Subject: "prod/database-cluster-01", Since: noon.Add(-25 * time.Hour), Text: "the newest whole restore point is 2 d 4 h old, one every 1 d is expected"},
		{Event: "link-margin", Subject: "prod", Since: noon.Add(-2 * time.Hour), Text: s.Senders[0].Day.Advice[0]},
	}
	return s
}

// crowd is a vault with more than a page shows, names as long as they may be, and
// whatever can be wrong with a source.
func crowd() *Status {
	s := sample()
	long := strings.Repeat("a-very-long-name", 4)
	for i := range 596 {
		one := source("branch-"+fmt.Sprint(i/20), "source-"+fmt.Sprint(i), time.Duration(i%30)*time.Hour, 24*time.Hour, 30, i%50/49)
		if i%97 == 5 {
			one.Sender, one.Source = long, fmt.Sprintf("%s-%03d", long[:60], i)
		}
		if one.Overdue {
			s.Alarms = append(s.Alarms, expectation.Alarm{Event: "source-overdue", Subject: one.Sender + "/" + one.Source, Since: noon, Text: "the newest whole restore point is too old"})
		}
		s.Sources = append(s.Sources, one)
	}
	s.Sources[0].Newest.Suspicious = []string{"9,120 of 10,000 files changed, 8,800 of them now look like random data"}
	s.Sources[2].Newest.Revoked, s.Sources[2].Abandoned = noon.AddDate(0, 0, -1), 3
	s.Moving[0].Snapshot = long + "/" + long + "/2026-11-24T110000Z.000042"
	for range movingShown {
		s.Moving = append(s.Moving, s.Moving[0])
	}
	s.Senders[0].Name = long
	for i := range 2 {
		s.Senders[1].Lanes = append(s.Senders[1].Lanes, link(linkquality.LaneName("branch-office-lisbon", i), i == 1))
	}
	s.Senders[1].Lanes[0].Heard = noon.Add(-3 * time.Hour)
	s.Alarms = append(s.Alarms, expectation.Alarm{Event: "lane-silent", Subject: linkquality.LaneName("branch-office-lisbon", 0), Since: noon.Add(-3 * time.Hour), Text: "nothing came over this lane while the others went on: look at its cable and interfaces"})
	return s
}

func source(sender, name string, age, every time.Duration, whole, partial int) Source {
	s := Source{Sender: sender, Source: name, Age: age.Seconds(), Every: every.Seconds(), Whole: whole, Partial: partial, Overdue: every > 0 && age > every}
	s.Newest = &Point{Name: noon.Add(-age).Format("2006-01-02T150405Z") + ".000040", Number: 40, Taken: noon.Add(-age), Received: noon.Add(-age), Files: 8123, Bytes: 7 << 32, Problems: int64(partial)}
	for i := CalendarDays - 1; i >= int(age.Hours()/24); i-- {
		d := Day{Day: noon.AddDate(0, 0, -i).Format("2006-01-02"), Whole: 1}
		if i%13 == 5 {
			d = Day{Day: d.Day, Partial: 1}
		}
		if i%11 != 3 {
			s.Days = append(s.Days, d)
		}
	}
	return s
}

// link makes a past with quiet hours, scattered loss and outages.
func link(name string, bad bool) Sender {
	rnd, m := rand.New(rand.NewPCG(1, 2)), linkquality.New()
	l := linkquality.Link{Sender: name, Rate: 1e9, Geometry: protocol.Geometry{K: 200, M: 20, Depth: 82, Symbol: 1408}}
	for at := noon.AddDate(0, 0, -30); !at.After(noon); at = at.Add(linkquality.Fine) {
		if at.Hour() > 2 && at.Hour() < 5 {
			continue
		}
		c := &l.Counts
		c.Received, c.Longest = c.Received+20e6, 0
		if rnd.IntN(4) == 0 {
			c.Lost, c.Longest = c.Lost+40, 3
			c.Bursts[0], c.Bursts[1] = c.Bursts[0]+34, c.Bursts[1]+3
		}
		if bad && (rnd.IntN(200) == 0 || at.Equal(noon.Add(-2*time.Hour))) {
			n := uint64(1600 + rnd.IntN(4000))
			c.Lost, c.Longest = c.Lost+n, n
			c.Bursts[11]++
		}
		m.Observe(at, []linkquality.Link{l}, linkquality.Host{})
	}
	s := Sender{Name: name, Heard: noon.Add(-2 * time.Second), Skew: 0.2, Total: Frames{l.Counts.Received, l.Counts.Lost}}
	s.Day, s.Month = m.Quality(name, noon, linkquality.FineSpan), m.Quality(name, noon, linkquality.CoarseSpan)
	s.Fine, s.Hours = Bars(m.Series(name, false)), Bars(m.Series(name, true))
	return s
}
