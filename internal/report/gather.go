package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"weir/internal/attestation"
	"weir/internal/event"
	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/internal/status"
	"weir/internal/vault"
	"weir/protocol"
)

// group is the snapshots of one source.
type group struct {
	Name
	whole, partial []*vault.Info
	abandoned      int
	newest         *vault.Info // whole
}

// held returns the time of the state that a restore point holds. The sender's
// word counts only where it makes the state older.
func held(i *vault.Info) time.Time {
	if i.Taken.Before(i.Received) || i.Received.IsZero() {
		return i.Taken
	}
	return i.Received
}

// groups sorts snapshots by source; sources that are expected are there too.
func (r *Reporter) groups(infos []vault.Info) []*group {
	byName := map[Name]*group{}
	of := func(n Name) *group {
		if byName[n] == nil {
			byName[n] = &group{Name: n}
		}
		return byName[n]
	}
	for _, n := range r.cfg.Expect {
		of(n)
	}
	for i := range infos {
		info := &infos[i]
		g := of(Name{info.Sender, info.Source})
		if info.State == vault.Abandoned {
			g.abandoned++ // nobody can do anything about it
			continue
		}
		if info.State != vault.Whole {
			g.partial = append(g.partial, info)
			continue
		}
		g.whole = append(g.whole, info)
		if g.newest == nil || !held(info).Before(held(g.newest)) {
			g.newest = info
		}
	}
	all := make([]*group, 0, len(byName))
	for _, g := range byName {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.Sender, b.Sender), cmp.Compare(a.Source, b.Source))
	})
	return all
}

// arriving returns the transfers of snapshots that are not whole: of one that is, what
// still comes is a later pass, and nobody waits for it.
func arriving(all []status.Transfer, infos []vault.Info) []status.Transfer {
	if len(all) == 0 {
		return all // as mostly: the names of all restore points need not be put together
	}
	whole := map[string]bool{}
	for i := range infos {
		if infos[i].State == vault.Whole {
			whole[infos[i].Snapshot().Ref()] = true
		}
	}
	return slices.DeleteFunc(all, func(t status.Transfer) bool { return whole[t.Snapshot] })
}

// status puts together all but the alarms.
func (r *Reporter) status(now time.Time, infos []vault.Info, f Facts) *status.Status {
	s := &status.Status{
		Version: status.Version, Written: now, Every: r.cfg.Every.Seconds(), Host: r.cfg.Host, Vault: r.cfg.Vault, Tool: r.cfg.Tool,
		Started: r.started, Sources: []status.Source{}, Moving: arriving(f.Moving, infos), Receiver: f.Receiver,
	}
	for _, g := range r.groups(infos) {
		s.Sources = append(s.Sources, r.source(now, g))
	}
	s.Missing = r.missing.of(infos, s.Moving)
	for _, name := range r.cfg.Senders {
		s.Senders = append(s.Senders, r.sender(now, name, f))
	}
	s.Disk.Total, s.Disk.Free = r.space()
	s.Disk.MinFree = r.cfg.MinFree
	r.disk.Add(now, s.Disk.Total-s.Disk.Free)
	s.Disk.PerDay, _ = r.disk.PerDay(now)
	s.Disk.Full = r.disk.Left(now, s.Disk.Free-s.Disk.MinFree).Seconds()
	s.Scrub = r.scrub()
	return s
}

// scrub returns the last reading of everything; while one is under way, how far it
// is and when the one before ended. Scrubs of single snapshots do not count.
func (r *Reporter) scrub() *status.Scrub {
	state, err := vault.ReadScrub(r.cfg.Vault)
	if err != nil || state.Started.IsZero() || state.Scope != "" {
		return r.said.Scrub
	}
	s := &status.Scrub{Finished: state.Ended, Objects: state.Objects, Damaged: state.Found, Running: state.Running}
	if state.Running && state.Total > 0 {
		s.Done = min(float64(state.Bytes)/float64(state.Total), 1)
	}
	if last := r.said.Scrub; state.Running && last != nil {
		s.Finished = last.Finished
	}
	return s
}

func (r *Reporter) source(now time.Time, g *group) status.Source {
	rule := r.cfg.Rule(g.Sender, g.Source)
	s := status.Source{Sender: g.Sender, Source: g.Source, Every: rule.Every.Seconds(), Whole: len(g.whole), Partial: len(g.partial), Abandoned: g.abandoned}
	if n := g.newest; n != nil {
		s.Newest = &status.Point{Name: n.Name, Number: n.Number, Taken: n.Taken, Received: n.Received, Files: n.Files, Bytes: n.Bytes, Problems: n.Problems, Suspicious: n.Suspicious, Revoked: n.Revoked}
		s.Age = max(now.Sub(held(n)), 0).Seconds()
	}
	s.Days = days(now, g)
	return s
}

// markOverdue says of each source what its alarm does: one of which nothing ever came
// is expected from the start of the watching on.
func markOverdue(s *status.Status) {
	for i := range s.Sources {
		src := &s.Sources[i]
		src.Overdue = slices.ContainsFunc(s.Alarms, func(a expectation.Alarm) bool {
			return a.Event == event.SourceOverdue && a.Subject == src.Sender+"/"+src.Source
		})
	}
}

// days counts the snapshots of each day by when they were taken.
func days(now time.Time, g *group) []status.Day {
	byDay := map[string]*status.Day{}
	oldest := now.AddDate(0, 0, -status.CalendarDays)
	of := func(i *vault.Info) *status.Day {
		name := held(i).UTC().Format(time.DateOnly)
		if byDay[name] == nil {
			byDay[name] = &status.Day{Day: name}
		}
		return byDay[name]
	}
	for _, i := range g.whole {
		if held(i).After(oldest) {
			of(i).Whole++
		}
	}
	for _, i := range g.partial {
		if held(i).After(oldest) {
			of(i).Partial++
		}
	}
	all := []status.Day{}
	for _, d := range byDay {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b status.Day) int { return cmp.Compare(a.Day, b.Day) })
	return all
}

func (r *Reporter) sender(now time.Time, name string, f Facts) status.Sender {
	s := status.Sender{
		Name: name, Heard: r.heard[name], Skew: f.Skew[name].Seconds(),
		Day: r.links.Quality(name, now, linkquality.FineSpan), Month: r.links.Quality(name, now, linkquality.CoarseSpan),
		Fine: status.Bars(r.links.Series(name, false)), Hours: status.Bars(r.links.Series(name, true)),
	}
	s.Lanes = r.lanes(now, name)
	for i := range f.Links {
		if f.Links[i].Sender == name {
			s.Total = status.Frames{Received: f.Links[i].Counts.Received, Lost: f.Links[i].Counts.Lost}
		}
	}
	return s
}

// lanes returns what is known of the lanes of a sender, where it has several.
func (r *Reporter) lanes(now time.Time, sender string) (all []status.Sender) {
	for lane := range protocol.MaxLanes {
		name := linkquality.LaneName(sender, lane)
		fine, hours := r.links.Series(name, false), r.links.Series(name, true)
		if len(hours) == 0 {
			continue
		}
		all = append(all, status.Sender{
			Name: name, Heard: r.heard[name], Day: r.links.Quality(name, now, linkquality.FineSpan), Month: r.links.Quality(name, now, linkquality.CoarseSpan),
			Fine: status.Bars(fine), Hours: status.Bars(hours),
		})
	}
	return all
}

// facts puts together what is judged.
func (r *Reporter) facts(now time.Time, infos []vault.Info, s *status.Status, lanes map[string][]expectation.Lane) expectation.Facts {
	clock := r.cfg.Now()
	f := expectation.Facts{Now: now, Behind: now.Sub(clock)}
	if !r.looked.IsZero() {
		f.Elapsed = clock.Sub(r.looked) // both have a monotonic reading
	}
	r.looked = clock
	f.Sources = r.expected(infos)
	for i := range s.Senders {
		snd := &s.Senders[i]
		e := expectation.Sender{Name: snd.Name, Heard: snd.Heard, Skew: time.Duration(snd.Skew * float64(time.Second))}
		e.Lanes, e.LanesKnown = lanes[snd.Name], lanes[snd.Name] != nil
		if snd.Day.Narrow {
			e.Margin = strings.Join(snd.Day.Advice, "; ")
		}
		f.Senders = append(f.Senders, e)
	}
	if s.Disk.Full > 0 {
		left := time.Duration(s.Disk.Full * float64(time.Second))
		f.Disk = expectation.Disk{Left: left, Text: fmt.Sprintf("the disk fills by %s a day and is full in %s: make room, or shorten what is kept",
			humanize.IBytes(uint64(max(s.Disk.PerDay, 0))), expectation.Spell(left))}
	}
	return f
}

// day puts together what is attested.
func (r *Reporter) day(now time.Time, infos []vault.Info, s *status.Status) (attestation.Day, error) {
	d := attestation.Day{Time: now, Host: r.cfg.Host, Vault: r.cfg.Vault, Sources: []attestation.Source{}, Alarms: []attestation.Alarm{}}
	for _, g := range r.groups(infos) {
		a := attestation.Source{Sender: g.Sender, Source: g.Source, Whole: len(g.whole), NotWhole: len(g.partial)}
		if n := g.newest; n != nil {
			a.Newest, a.Taken, a.Received, a.Files, a.Bytes = n.Name, n.Taken, n.Received, n.Files, n.Bytes
			a.Oldest = g.whole[0].Name
			sum, err := vault.ManifestSum(r.cfg.Vault, n.Snapshot())
			if err != nil {
				return d, err
			}
			a.Manifest = sum
		}
		d.Sources = append(d.Sources, a)
	}
	for _, a := range s.Alarms {
		d.Alarms = append(d.Alarms, attestation.Alarm{Event: a.Event, Subject: a.Subject, Since: a.Since, Text: a.Text})
	}
	var err error
	d.LogHead, err = vault.LogHead(r.cfg.Vault)
	return d, err
}
