package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/event"
)

// scrub reads everything again, beside the vault's goroutine, which alone acts on
// what is found.
type scrub struct {
	layout
	catalog *catalog
	ctx     context.Context
	stop    context.CancelFunc
	found   chan scrubFinding
	done    chan error
	workers int
	pace    pace
	read    atomic.Int64 // bytes since the cursor moved
	handed  atomic.Int64 // findings
	acted   atomic.Int64 // of them, by the vault's goroutine
	mu      sync.Mutex   // of what follows
	state   ScrubState
	saved   time.Time
	good    map[fileID]content // files that trees share and that are no objects any more
	buf     []byte
}

// scrubFinding is what the vault's goroutine is to act on: an object, a file of a
// restore point, a second copy, a restore point that is marked and has nothing wrong of
// its own any more, or, with none of them, the event log.
type scrubFinding struct {
	object *objectFinding
	point  *pointFinding
	spare  *Snapshot // whose second copy of the manifest is missing or bad
	sound  *soundPoint
}

type objectFinding struct {
	key key
	content
	file fileID // whose bytes are wrong, zero if it is gone
	why  string
}

type pointFinding struct {
	snap Snapshot
	Finding
}

const (
	scrubBatch    = 500     // objects taken from the catalog at a time
	scrubStep     = 1 << 30 // bytes of them, or one object, after which it is noted how far it is
	scrubFindings = 1000    // that wait to be acted on
	// scrubFirst is how long after its start a holder looks whether a scrub is due.
	scrubFirst = 5 * time.Minute
	// maxGood bounds the files that a scrub remembers to be good; more are read again
	// for each restore point.
	maxGood = 100_000
)

// ScrubRequest is the detail of ActionScrub.
type ScrubRequest struct {
	Rate int64 `json:"rate"` // bytes a second, 0 for as fast as it goes
}

func scrubAction(v *Vault, r Request) (any, error) {
	var ask ScrubRequest
	if err := json.Unmarshal(r.Detail, &ask); err != nil || ask.Rate < 0 {
		return nil, fmt.Errorf("reading the request: %w", errors.Join(err, ErrRequest))
	}
	if r.Snapshot != "" {
		s, err := snapshotOf(r)
		if err != nil {
			return nil, err
		}
		if !exists(v.point(s)) {
			return nil, fmt.Errorf("%s: %w", s.Ref(), ErrNotFound)
		}
	}
	return nil, v.beginScrub(r.Snapshot, ask.Rate)
}

// beginScrub starts a scrub, of one restore point or of everything. One of
// everything goes on where an earlier one was cut short.
func (v *Vault) beginScrub(scope string, rate int64) error {
	if v.scrub != nil {
		return fmt.Errorf("a scrub is under way since %s: %w", v.scrub.state.Started.Format(time.RFC3339), ErrInUse)
	}
	old, err := ReadScrub(v.dir)
	if err != nil || !old.Running || old.Scope != scope || scope != "" {
		old = ScrubState{Scope: scope, Started: v.clock.read()}
	}
	old.Running, old.Failed = true, ""
	s := &scrub{
		layout: v.layout, catalog: v.catalog, state: old, workers: 1, good: map[fileID]content{},
		found: make(chan scrubFinding, scrubFindings), done: make(chan error, 1),
	}
	if s.pace.set(rate); rate == 0 {
		s.workers = runtime.NumCPU()
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.state.save(v.layout); err != nil {
		return err
	}
	v.disk.point("scrub-begun")
	v.scrub, v.scrubErr = s, nil
	v.log.Info().Str(event.Field, event.ScrubStarted).Str("scope", scope).Msg("what is stored is read again")
	go func() {
		err := s.run()
		close(s.found)
		s.done <- err
	}()
	return nil
}

// scrubSome acts on what the scrub found, and reports whether it goes on.
func (v *Vault) scrubSome(quiet bool) bool {
	s := v.scrub
	if s == nil {
		return false
	}
	s.pace.busy.Store(!quiet)
	for range scrubFindings {
		select {
		case f, open := <-s.found:
			if !open {
				// It ends when all that it found bad is listed so.
				if v.unmarked() {
					return true
				}
				v.endScrub(<-s.done)
				return false
			}
			v.actOn(f)
			s.acted.Add(1)
		default:
			return true
		}
	}
	return true
}

func (v *Vault) endScrub(err error) {
	s := v.scrub
	v.scrub = nil
	s.stop()
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			v.scrubErr, s.state.Failed = fmt.Errorf("scrubbing: %w", err), err.Error()
			v.troubled(errors.Join(v.scrubErr, s.state.save(v.layout)))
		}
		return // its state says where to go on
	}
	s.state.Running, s.state.Ended = false, v.clock.read()
	if err := s.state.save(v.layout); err != nil {
		v.troubled(err)
	}
	line := v.log.Info()
	if s.state.Found > 0 {
		line = v.log.Error()
	}
	line.Str(event.Field, event.ScrubEnded).Int64("objects", s.state.Objects).Int64("points", s.state.Points).
		Int64("bytes", s.state.Bytes).Int64("found", s.state.Found).Msg("what is stored was read again")
	v.note(event.ScrubEnded, Snapshot{}, fmt.Sprintf("%d objects, %d restore points, %d bytes, %d findings",
		s.state.Objects, s.state.Points, s.state.Bytes, s.state.Found))
}

// stopScrub ends a scrub before the vault is closed.
func (v *Vault) stopScrub() {
	if v.scrub == nil {
		return
	}
	v.scrub.stop()
	for range v.scrub.found { // found again by the next one
	}
	<-v.scrub.done
	v.scrub = nil
}

// scrubIfDue scrubs on schedule, and takes up what was cut short.
func (v *Vault) scrubIfDue() {
	now := v.opt.Now()
	if v.opt.ScrubEvery <= 0 || v.scrub != nil {
		return
	}
	if v.scrubLook.IsZero() {
		v.scrubLook = now.Add(scrubFirst)
	}
	if now.Before(v.scrubLook) {
		return
	}
	v.scrubLook = now.Add(scrubFirst)
	last, err := ReadScrub(v.dir)
	if err == nil && !last.Running && last.Scope == "" && v.clock.read().Sub(last.Started) < v.opt.ScrubEvery {
		return
	}
	if err := v.beginScrub("", v.opt.ScrubRate); err != nil {
		v.troubled(err)
	}
}

// run is the scrub's own goroutine.
func (s *scrub) run() error {
	err := s.steps()
	s.mu.Lock()
	defer s.mu.Unlock()
	if serr := s.save(); err == nil {
		err = serr
	}
	return err
}

func (s *scrub) steps() error {
	if s.state.Scope != "" {
		return s.onePoint()
	}
	if !s.state.ObjectsDone {
		if err := s.objects(); err != nil {
			return err
		}
	}
	if err := s.points(); err != nil {
		return err
	}
	report, err := VerifyEvents(s.dir, Head{})
	for _, f := range report.Findings {
		s.note("%s: %s", eventsFile, f)
	}
	if len(report.Findings) > 0 {
		s.hand(scrubFinding{}) // once for all
	}
	return err
}

// tell hands a finding over.
func (s *scrub) tell(f scrubFinding, what string, args ...any) {
	s.note(what, args...)
	s.hand(f)
}

func (s *scrub) note(what string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.add(what, args...)
}

func (s *scrub) hand(f scrubFinding) {
	s.handed.Add(1)
	select {
	case s.found <- f:
	case <-s.ctx.Done():
	}
}

// save writes down how far it is, unless a finding waits to be acted on: whoever
// goes on after a crash has to find it again.
func (s *scrub) save() error {
	s.state.Bytes, s.state.Busy = s.state.CursorBytes+s.read.Load(), s.pace.busySeconds()
	if s.acted.Load() < s.handed.Load() {
		return nil
	}
	return s.state.save(s.layout)
}

// objects reads all objects of the catalog.
func (s *scrub) objects() error {
	if s.state.Total == 0 {
		total, err := s.catalog.bytes()
		if err != nil {
			return err
		}
		if err := s.moved(func(state *ScrubState) { state.Total = total }); err != nil {
			return err
		}
	}
	after := cursorKey(s.state.Cursor)
	for {
		batch, err := s.catalog.after(after, scrubBatch)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return s.moved(func(state *ScrubState) { state.ObjectsDone, state.Cursor = true, "" })
		}
		batch = firstOf(batch)
		s.batch(batch)
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		after = batch[len(batch)-1].key
		err = s.moved(func(state *ScrubState) {
			state.Objects += int64(len(batch))
			state.Cursor = after.sender + "/" + after.id.String()
		})
		if err != nil {
			return err
		}
	}
}

// firstOf returns the first of some objects, up to scrubStep bytes.
func firstOf(all []catalogued) []catalogued {
	n, bytes := 0, int64(0)
	for n < len(all) && (n == 0 || bytes+all[n].Size <= scrubStep) {
		bytes += all[n].Size
		n++
	}
	return all[:n]
}

// moved notes what is done for good.
func (s *scrub) moved(change func(*ScrubState)) error {
	s.mu.Lock()
	change(&s.state)
	s.state.CursorBytes += s.read.Swap(0)
	s.mu.Unlock()
	return s.progress()
}

// took notes that bytes were read.
func (s *scrub) took(n int64) {
	s.read.Add(n)
	if s.progress() != nil {
		s.stop() // said again at the end
	}
}

// progress writes the state down now and then.
func (s *scrub) progress() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.saved) < scrubSave {
		return nil
	}
	s.saved = time.Now()
	return s.save()
}

// batch reads some objects, several at a time.
func (s *scrub) batch(all []catalogued) {
	var next atomic.Int64
	var found sync.Mutex
	var wait sync.WaitGroup
	for range s.workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			buf := make([]byte, scrubBuffer)
			for i := next.Add(1) - 1; i < int64(len(all)) && s.ctx.Err() == nil; i = next.Add(1) - 1 {
				if f := s.object(all[i], buf); f != nil {
					found.Lock()
					s.tell(scrubFinding{object: f}, "object %s/%v: %s", f.key.sender, f.key.id, f.why)
					found.Unlock()
				}
			}
		}()
	}
	wait.Wait()
}

// object reads one object. What is wrong is read a second time, from the disk,
// before it is believed.
func (s *scrub) object(c catalogued, buf []byte) *objectFinding {
	var f *objectFinding
	for range 2 {
		id, why := s.compare(s.layout.object(c.key), c.content, buf)
		if why == "" || s.ctx.Err() != nil {
			return nil
		}
		f = &objectFinding{c.key, c.content, id, why}
	}
	return f
}

func cursorKey(cursor string) (k key) {
	sender, id, _ := strings.Cut(cursor, "/")
	var h ObjectID
	if sender != "" && decodeID(id, &h) {
		k = key{sender, h}
	}
	return k
}
