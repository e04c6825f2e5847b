package vault

import (
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
	if v.sumLeft = sumSlice; quiet {
		v.sumLeft = sumQuiet
	}
	v.completeReady()
	now := v.opt.Now()
	for _, o := range v.open {
		if o.lacksNothing() {
			if err := v.complete(o); err != nil {
				v.troubled(err)
			}
			continue
		}
		if o.dirty > 0 && (quiet || now.Sub(o.saved) >= mapEvery) {
			if err := v.saveMap(o); err != nil {
				v.troubled(err)
			}
		}
	}
	v.collectSites()
	if err := v.publishReady(); err != nil {
		return err
	}
	if err := v.events.flush(); err != nil {
		v.troubled(err)
	}
	v.catchUp()
	v.clock.read()
	v.work(quiet)
	if quiet {
		v.reportPartial()
	}
	return nil
}

// reportPartial says what is not whole, once after each stretch of activity.
func (v *Vault) reportPartial() {
	for _, p := range v.pending {
		if p.reported || !p.AbandonedAt.IsZero() || p.site != nil || p.waits && !v.postponed(p) {
			continue
		}
		p.reported = true
		files, lack, err := v.measure(p)
		if err != nil {
			v.troubled(err)
			continue
		}
		if err := v.savePending(p); err != nil {
			v.troubled(err)
		}
		if !v.noteOften(event.SnapshotPartial, p.snap, "") {
			continue
		}
		line := v.log.Warn().Str(event.Field, event.SnapshotPartial).Str("snapshot", p.snap.Ref()).
			Bool("manifest", p.manifest).Int64("missing_files", p.MissingFiles).Int64("missing_bytes", p.MissingBytes)
		if len(files) > 0 {
			line = line.Interface("files", files)
		}
		if code := v.repairCode(p, lack); code != "" {
			line = line.Str("code", code)
		}
		line.Msg("a snapshot is not whole; type weir-send resend CODE on the sender's host, or wait for its next pass")
	}
}

// measure counts what a snapshot lacks and returns the first files with their
// missing ranges. What a snapshot without a manifest lacks is not known.
func (v *Vault) measure(p *pending) (first []MissingFile, lack *repaircode.Lack, err error) {
	p.MissingFiles, p.MissingBytes = 0, 0
	if !p.manifest {
		return nil, nil, nil
	}
	lack, err = lackOf(v.layout, p.snap, v.layout.pending(p.snap), func(m MissingFile) {
		p.MissingFiles++
		if len(first) < partialFiles {
			first = append(first, m)
		}
	})
	p.MissingBytes = lack.Missing
	return first, lack, err
}
