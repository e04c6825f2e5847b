package vault

import (
	"errors"
	"fmt"
	"os"
	"time"

	"weir/internal/event"
	"weir/internal/masschange"
)

// errMismatch is returned while a tree is built that lists an object otherwise
// than the vault has it.
var errMismatch = errors.New("an object is not what the manifest lists")

// publish makes a restore point of a snapshot that lacks nothing. See the package
// comment for the order, which is what survives a power cut.
func (v *Vault) publish(p *pending, b *builder) error {
	if v.postponed(p) {
		return nil
	}
	err := v.tryToPublish(p, b)
	switch {
	case errors.Is(err, errMismatch):
		p.stale = true
		return nil
	case errors.Is(err, errTooLong):
		return err
	case err != nil:
		v.postpone(p)
		return fmt.Errorf("publishing %s: %w", p.snap.Ref(), err)
	}
	return nil
}

func (v *Vault) tryToPublish(p *pending, b *builder) error {
	if done, err := v.settlePlaced(p); done || err != nil {
		return err
	}
	if err := v.syncFresh(); err != nil {
		return err
	}
	history := readHistory(v.layout, p.snap)
	change, err := b.build(p, history, v.clock.read())
	if err != nil {
		v.disown(err)
		return err
	}
	return v.unveil(p, change, history)
}

// settlePlaced deals with a restore point that stands in its place already: it is
// brought to its end, or taken back where it may not last.
func (v *Vault) settlePlaced(p *pending) (done bool, err error) {
	switch {
	case !exists(v.point(p.snap)):
		return false, nil
	case v.unsettled(p.snap):
		return false, v.withdraw(p.snap)
	}
	return true, v.takeUpPlaced(p)
}

// unveil publishes what is built.
func (v *Vault) unveil(p *pending, change masschange.Measure, history []masschange.Measure) error {
	if err := v.judge(p, change, history); err != nil {
		return err
	}
	if err := v.lockPoint(p.snap, p.Received); err != nil {
		return err
	}
	if err := v.place(p.snap); err != nil {
		return err
	}
	v.succeed(p)
	p.State, p.MissingFiles, p.MissingBytes = Whole, 0, 0
	v.published(p, p.Ref.SHA256)
	return nil
}

// After a publication that failed the next try waits, longer each time: a tree of
// a million links is not built every second on a disk that is full.
const (
	minBackoff = time.Second
	maxBackoff = time.Minute
)

func (v *Vault) postpone(p *pending) {
	p.failed, p.backoff = v.opt.Now(), min(max(2*p.backoff, minBackoff), maxBackoff)
}

func (v *Vault) postponed(p *pending) bool {
	wait := v.opt.Now().Sub(p.failed)
	return wait >= 0 && wait < p.backoff
}

// published records and tells what has become whole. Trouble from here on costs
// tidiness, not the restore point. What a crash leaves undone is done at the next
// start, as long as the pending directory is there: it goes last.
func (v *Vault) published(p *pending, sum Hash) {
	told := v.events.told(event.SnapshotWhole, p.snap.Ref())
	if !told {
		v.note(event.SnapshotWhole, p.snap, sum.String())
		v.disk.point("noted")
	}
	v.remember(p.snap, sum)
	if p.Ref != nil {
		v.noteChain(p)
		v.stored(p.Sender, p.Source, Fill{-p.Ref.ObjectSize, -1})
	}
	delete(v.pending, p.snap)
	v.whole[p.snap] = true
	if err := v.tidy(p); err != nil {
		v.uncleared[p.snap] = p
		v.troubled(err)
	}
	v.disk.point("cleared")
	v.dropLeftOvers(p.Sender)
	if err := v.sweepSender(p.Sender); err != nil {
		v.troubled(err)
	}
	if told {
		return
	}
	v.log.Info().Str(event.Field, event.SnapshotWhole).Str("snapshot", p.snap.Ref()).Int64("files", p.Files).
		Int64("bytes", p.Bytes).Int64("problems", p.Problems).Msg("a restore point is whole and published")
	if v.opt.OnPublish != nil {
		v.opt.OnPublish(p.Info)
	}
}

// tidy ends a publication: the packed manifest, which no restore point links, leaves
// the objects, and then the pending snapshot goes. While the event log cannot be
// written it stays: who finds it after a crash tells of the publication.
func (v *Vault) tidy(p *pending) error {
	if err := v.events.flush(); err != nil {
		return err
	}
	if p.Ref != nil {
		if err := v.catalog.remove(key{p.Sender, p.Ref.Object}); err != nil {
			return err
		}
		if err := v.keepSpare(p); err != nil {
			return err
		}
	}
	return os.RemoveAll(v.layout.pending(p.snap))
}

// forget removes an object that no restore point links.
func (v *Vault) forget(k key) {
	if v.unrecord(k) {
		os.Remove(v.layout.object(k))
	}
}

// unrecord takes an object out of the catalog, which comes before its file goes:
// what the catalog has must be there.
func (v *Vault) unrecord(k key) bool {
	err := v.catalog.remove(k)
	if err != nil {
		v.troubled(err)
	}
	return err == nil
}

// publishReady publishes every snapshot that lacks nothing.
func (v *Vault) publishReady() error {
	var first error
	for _, p := range v.pending {
		if p.Ref == nil || p.more && !v.worthALook(p) {
			continue
		}
		if err := v.advance(p); err != nil && first == nil {
			first = err
		}
	}
	v.startSites()
	if first != nil {
		v.troubled(first)
	}
	return nil
}
