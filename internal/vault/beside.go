package vault

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"weir/internal/event"
	"weir/internal/masschange"
)

// What takes long of the way from a manifest to a restore point goes on beside the
// vault's goroutine, which has to store what comes from everybody: a manifest of a
// million entries takes a minute to unpack, to compare and to build. What is short
// is done at once, as long as its sender does not ask for more than its share.
const (
	// maxBeside bounds the snapshots that are worked on beside, one of a sender at
	// most: each may need maxLinked of memory, and the share of missingMost.
	maxBeside = 2
	// DefaultBeside is the size of the manifests that are not worked on at once, in
	// bytes: about two thousand entries.
	DefaultBeside = 512 << 10
	// A sender has the vault's goroutine for its publications, and for what is noted of
	// its snapshots, for onceBurst each in a row, and for one part in onceShare of the time.
	onceBurst = 4 * time.Second
	onceShare = 5
	// onceMost is how long one snapshot may be worked on at once. A small manifest can
	// list deep paths of a hundred thousand directories, or content that has to be copied.
	onceMost = 100 * time.Millisecond
	// cameMost bounds what is remembered of objects that became complete while a
	// snapshot is worked on: some 25 MiB.
	cameMost = 1 << 18
)

// beside is what goes on beside the vault's goroutine, and whose turn it is.
type beside struct {
	burst    time.Duration    // see onceBurst
	entering time.Duration    // likewise
	most     time.Duration    // see onceMost
	cameMost int              // see there
	sites    map[string]*site // by sender
	turns    map[string]int64 // of each sender, the latest
	turn     int64
	once     shares       // for publications
	entries  shares       // for what is noted of snapshots
	busy     atomic.Int64 // snapshots that are worked on or wait for that

	chores    map[string][]chore  // by sender
	claims    map[Snapshot][]Hash // manifests that came for restore points whose own is being read
	discarded int                 // restore points that were built for nothing
}

func newBeside() beside {
	return beside{burst: onceBurst, entering: onceBurst, most: onceMost, cameMost: cameMost, sites: map[string]*site{}, turns: map[string]int64{}, once: shares{}, entries: shares{},
		chores: map[string][]chore{}, claims: map[Snapshot][]Hash{}}
}

// onceTime is how long work of one kind for a sender may still take at once.
type onceTime struct {
	left time.Duration
	at   time.Time
}

// shares are such times of all senders.
type shares map[string]*onceTime

func (s shares) of(sender string, burst time.Duration, now time.Time) *onceTime {
	t := s[sender]
	if t == nil {
		t = &onceTime{left: burst, at: now}
		s[sender] = t
	}
	t.left, t.at = min(burst, t.left+now.Sub(t.at)/onceShare), now
	return t
}

// onceOf is how long a sender's publications may still take at once.
func (b *beside) onceOf(sender string, now time.Time) *onceTime {
	return b.once.of(sender, b.burst, now)
}

// site is a snapshot that is worked on beside the vault's goroutine.
type site struct {
	live    *pending             // the vault goroutine's
	ref     *ManifestRef         // of live when this began
	own     *pending             // a copy for the one that works
	checked bool                 // its manifest was to be checked, and no more
	came    map[ObjectID]content // objects of the sender that became complete meanwhile
	report  *partialReport       // what it lacks was to be told, and no more
	change  masschange.Measure
	history []masschange.Measure
	built   bool // below staging/
	err     error
	then    func(error) error // of a chore, may be nil
	begun   time.Time
	stop    atomic.Bool
	done    chan struct{}
}

// Building reports whether snapshots are worked on that may become whole by that. It
// may be called from anywhere.
func (v *Vault) Building() bool { return v.busy.Load() > 0 }

// ripe reports whether there is something to do for a snapshot.
func (v *Vault) ripe(p *pending) bool {
	switch {
	case p.Ref == nil || p.unsaved: // what it came to could not be found again
		return false
	case !p.manifest:
		return v.manifestCame(p)
	}
	return p.stale || len(p.missing) == 0 && !p.more
}

// goesBeside reports whether the work on a snapshot is too much to be done at once.
// What stands in its place already only has to be brought to its end.
func (v *Vault) goesBeside(p *pending, now time.Time) bool {
	return (p.long || p.Ref.Size > v.opt.Beside || v.onceOf(p.Sender, now).left <= 0) && !exists(v.point(p.snap))
}

// startSites begins the work on the snapshots whose turn it is.
func (v *Vault) startSites() {
	for len(v.sites) < maxBeside {
		p, sender := v.nextTurn(), v.nextChore()
		if sender != "" && (p == nil || v.turns[sender] <= v.turns[p.Sender]) {
			v.beginChore(sender)
			continue
		}
		if p == nil {
			break
		}
		begin := v.beginSite
		if !p.waits {
			begin = v.beginReport
		}
		p.waits, p.tells = false, false
		if err := begin(p); err != nil {
			v.postpone(p)
			v.troubled(err)
		}
	}
	waiting := 0
	for _, p := range v.pending {
		if (p.waits || p.tells) && !v.postponed(p) {
			waiting++
		}
	}
	v.busy.Store(int64(len(v.sites) + waiting))
}

// nextTurn returns the snapshot that waits longest of the sender that was served
// longest ago.
func (v *Vault) nextTurn() (next *pending) {
	for _, p := range v.pending {
		if !p.waits && !p.tells || v.sites[p.Sender] != nil || v.postponed(p) {
			continue
		}
		if next == nil || v.turns[p.Sender] < v.turns[next.Sender] || p.Sender == next.Sender && p.Number < next.Number {
			next = p
		}
	}
	return next
}

// beginSite begins the next step for a snapshot: its manifest is unpacked and
// checked, or it is looked up what it lacks, and if that is nothing, it is built.
func (v *Vault) beginSite(p *pending) error {
	if !v.ripe(p) || v.saidRevoked(p) {
		return nil
	}
	if err := v.syncFresh(); err != nil { // only what is recorded is seen
		return err
	}
	b := v.builder()
	b.space = &spaceWatch{dir: v.dir, minFree: v.opt.MinFree}
	var err error
	if b.root, err = os.Open(v.own()); err != nil { // so that each learns of all errors
		return err
	}
	own := *p
	ref := *p.Ref
	own.Ref, own.missing = &ref, nil
	s := &site{live: p, ref: p.Ref, own: &own, checked: !p.manifest, history: readHistory(v.layout, p.snap), begun: time.Now(), done: make(chan struct{}), came: map[ObjectID]content{}}
	b.stopped = s.stopped
	p.stale = false
	v.occupy(s)
	keys, room, now := v.mayHaveSigned(p), v.missingRoom(p.Sender)+len(p.missing), v.clock.read()
	go func() {
		defer close(s.done)
		defer b.root.Close()
		if s.checked {
			s.err = b.checkManifest(s.own, keys)
		} else {
			s.err = s.advance(b, room, now)
		}
	}()
	return nil
}

// occupy gives the snapshot of a site its turn.
func (v *Vault) occupy(s *site) {
	s.live.site = s
	v.occupyFor(s, s.live.Sender)
}

func (v *Vault) occupyFor(s *site, sender string) {
	v.turn++
	v.sites[sender], v.turns[sender] = s, v.turn
}

// beginReport begins to look up what a snapshot lacks, for people.
func (v *Vault) beginReport(p *pending) error {
	if !p.manifest {
		return nil
	}
	s := &site{live: p, ref: p.Ref, report: &partialReport{}, done: make(chan struct{})}
	v.occupy(s)
	l, snap := v.layout, p.snap
	go func() {
		defer close(s.done)
		*s.report, s.err = measure(l, snap)
	}()
	return nil
}

func (s *site) stopped() error {
	if s.stop.Load() {
		return errStopped
	}
	return nil
}

// advance looks up what lacks, if that is not known, and builds if nothing does.
func (s *site) advance(b *builder, room int, now time.Time) (err error) {
	p := s.own
	if p.stale {
		have := func(id ObjectID) (content, bool) { return b.catalog.get(key{p.Sender, id}) }
		if p.missing, p.more, err = b.listMissing(p, room, have); err != nil {
			return err
		}
	}
	if len(p.missing) > 0 || p.more {
		return nil
	}
	s.change, err = b.build(p, s.history, now)
	s.built = err == nil
	return err
}

// collectSites takes up what was worked on, and begins what waits.
func (v *Vault) collectSites() {
	for sender, s := range v.sites {
		select {
		case <-s.done:
		default:
			continue
		}
		delete(v.sites, sender)
		if err := v.collect(s); err != nil {
			v.troubled(err)
		}
	}
	v.startSites()
}

// collect goes on with a snapshot where its site has left it, unless something has
// changed meanwhile of what it went by.
func (v *Vault) collect(s *site) error {
	p := s.live
	if p == nil {
		return s.endChore()
	}
	p.site = nil
	if s.report != nil {
		if v.pending[p.snap] != p || s.err != nil {
			return s.err
		}
		v.tellPartial(p, *s.report)
		return nil
	}
	if v.pending[p.snap] != p || p.Ref != s.ref || p.stale {
		v.throwAway(s)
		return nil
	}
	if s.checked {
		p.Ref.PublicKey, p.Files, p.Bytes, p.Problems = s.own.Ref.PublicKey, s.own.Files, s.own.Bytes, s.own.Problems
		if ok, err := v.putManifest(p, s.err); err != nil || !ok {
			v.postpone(p)
			return err
		}
		return v.advance(p)
	}
	p.missing, p.more = s.own.missing, s.own.more
	v.takeWhatCame(p, s)
	switch {
	case errors.Is(s.err, errMismatch):
		v.disown(s.err)
		p.stale = true
		v.pause(p, s.begun)
		return nil
	case s.err != nil:
		p.stale = true
		v.postpone(p)
		return fmt.Errorf("publishing %s: %w", p.snap.Ref(), s.err)
	case !s.built:
		return v.advance(p)
	case v.saidRevoked(p):
		v.throwAway(s)
		return nil
	}
	p.Received, p.copies, p.broken = s.own.Received, s.own.copies, s.own.broken
	if err := v.unveil(p, s.change, s.history); err != nil {
		v.postpone(p)
		return fmt.Errorf("publishing %s: %w", p.snap.Ref(), err)
	}
	return nil
}

// saidRevoked reports whether the key is revoked that signed a manifest, and notes it.
func (v *Vault) saidRevoked(p *pending) bool {
	revoked := p.manifest && v.isRevoked(p.Sender, p.Ref.PublicKey)
	if revoked {
		v.noteOften(event.ManifestRefused, p.snap, "the key that signed it is revoked")
	}
	return revoked
}

// throwAway removes what was built for nothing.
func (v *Vault) throwAway(s *site) {
	if !s.built {
		return
	}
	if err := v.discard(s.own.Sender, v.staging(s.own.snap)); err != nil {
		v.troubled(err)
	}
}

// stopSites ends all work and waits until nobody works. What was under way is begun
// anew by whoever opens the vault next.
func (v *Vault) stopSites() {
	for _, s := range v.sites {
		s.stop.Store(true)
	}
	for sender, s := range v.sites {
		<-s.done
		delete(v.sites, sender)
	}
}
