package vault

import (
	"time"

	"weir/internal/event"
	"weir/internal/repaircode"
)

const (
	// freshMost is how many complete objects may wait to be synced and recorded.
	freshMost = 100_000
	// partialFiles bounds the files that one log line names.
	partialFiles = 20
)

// Settle does what is not tied to anything that comes: it brings maps up to date,
// publishes what lacks nothing, and when the link is quiet says, once, which
// snapshots are not whole and what they lack. Call it about every second.
func (v *Vault) Settle(quiet bool) error {
	if err := v.mendCatalog(); err != nil {
		return err
	}
	if quiet {
		v.clearSmall()
	}
	if quiet || len(v.fresh) >= freshMost {
		if err := v.syncFresh(); err != nil {
			v.troubled(err)
		}
	}
	v.sums.renew(quiet)
	now := v.opt.Now()
	var stale []*object
	for _, o := range v.open {
		if o.lacksNothing() {
			if err := v.complete(o); err != nil {
				v.troubled(err)
			}
			if v.open[o.key] != o {
				continue
			} // else more of it is to be read back, which may take minutes
		}
		if o.dirty > 0 && (quiet || now.Sub(o.saved) >= mapEvery) {
			stale = append(stale, o)
		}
	}
	if err := v.saveMaps(stale); err != nil {
		v.troubled(err)
	}
	v.completeReady()
	v.collectSites()
	v.catchUp()
	if err := v.publishReady(); err != nil {
		return err
	}
	if err := v.events.flush(); err != nil {
		v.troubled(err)
	}
	v.clock.read()
	v.work(quiet)
	if quiet {
		v.reportPartial()
	}
	v.reading.Store(len(v.sums.short) > 0)
	return nil
}

// ReadingBack reports whether, at the last Settle, objects that had come whole were not
// yet read back to their ends. It may be called from anywhere.
func (v *Vault) ReadingBack() bool { return v.reading.Load() }

// reportTime bounds how long at a time it is looked up what snapshots lack.
const reportTime = 500 * time.Millisecond

// reportPartial says what is not whole, once after each stretch of activity.
func (v *Vault) reportPartial() {
	end := time.Now().Add(reportTime)
	for _, p := range v.pending {
		if p.reported || !p.AbandonedAt.IsZero() || p.site != nil || p.waits && !v.postponed(p) {
			continue
		}
		if v.sums.short[p.Sender] {
			continue // what is read back may be all that it waits for
		}
		if time.Now().After(end) {
			return // the others when it is quiet the next time
		}
		p.reported = true
		if p.tells = p.manifest && v.goesBeside(p, time.Now()); p.tells {
			continue // see startSites
		}
		begun := time.Now()
		if p.MissingFiles, p.MissingBytes = 0, 0; !p.manifest {
			v.tellPartial(p, partialReport{})
			continue
		}
		r, err := measure(v.layout, p.snap)
		v.onceOf(p.Sender, begun).left -= time.Since(begun)
		if err != nil {
			v.troubled(err)
			continue
		}
		v.tellPartial(p, r)
	}
	v.startSites()
}

// partialReport is what a snapshot lacks.
type partialReport struct {
	first []MissingFile
	files int64
	lack  *repaircode.Lack // nil while nobody knows
}

// tellPartial tells what a snapshot lacks; of one without a manifest nobody knows.
func (v *Vault) tellPartial(p *pending, r partialReport) {
	if r.lack != nil {
		p.MissingFiles, p.MissingBytes = r.files, r.lack.Missing
	}
	if err := v.savePending(p); err != nil {
		v.troubled(err)
	}
	if !v.noteOften(event.SnapshotPartial, p.snap, "") {
		return
	}
	line := v.log.Warn().Str(event.Field, event.SnapshotPartial).Str("snapshot", p.snap.Ref()).
		Bool("manifest", p.manifest).Int64("missing_files", p.MissingFiles).Int64("missing_bytes", p.MissingBytes)
	if len(r.first) > 0 {
		line = line.Interface("files", r.first)
	}
	if code := v.repairCode(p, r.lack); code != "" {
		line = line.Str("code", code)
	}
	line.Msg("a snapshot is not whole; type weir-send resend CODE on the sender's host, or wait for its next pass")
}

// measure counts what a snapshot lacks and returns the first files with their
// missing ranges.
func measure(l layout, s Snapshot) (r partialReport, err error) {
	r.lack, err = lackOf(l, s, l.pending(s), func(m MissingFile) {
		r.files++
		if len(r.first) < partialFiles {
			r.first = append(r.first, m)
		}
	})
	return r, err
}
