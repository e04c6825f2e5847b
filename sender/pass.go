package sender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/event"
	"weir/internal/manifest"
)

const (
	// lookEvery is the longest time between two looks at what is due: clocks are
	// set, and hosts sleep.
	lookEvery = time.Minute
	// passRetry is how long after a failure a pass is tried again.
	passRetry = 5 * time.Minute
)

// task is a pass that is due, now or later.
type task struct {
	at      time.Time
	sent    *Sent
	refresh bool
	release bool // of what the spool keeps
}

// Passes sends what is owed until the context ends: each object of a snapshot as
// often as the Config says, and whole refreshes. It uses the link when nothing
// else does. Call it once, while Run runs.
func (s *Sender) Passes(ctx context.Context) {
	var a agenda
	for ctx.Err() == nil {
		wait, err := s.doDue(ctx, &a)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrStopped) {
			s.cfg.Log.Error().Str(event.Field, event.PassFailed).Err(err).Msg("a pass could not be sent; it is tried again")
			wait = passRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// agenda is what is due next, as of one look at the state.
type agenda struct {
	next    *task
	looked  time.Time
	sent    []*Sent // what was sent
	changes uint64  // of the state, when it was read; 0 for never
}

// lookAgain is after how long the state is looked at though nothing changed in it:
// the clock may have.
const lookAgain = time.Hour

// doDue does what is due, and returns how long nothing will be.
func (s *Sender) doDue(ctx context.Context, a *agenda) (time.Duration, error) {
	now, changes := s.cfg.Clock.Now(), s.cfg.State.changes.Load()+1
	if changes != a.changes {
		all, err := s.cfg.State.Sent()
		if err != nil {
			return 0, err
		}
		*a = agenda{sent: all, changes: changes}
	}
	if age := now.Sub(a.looked); age < 0 || age > lookAgain {
		a.next, a.looked = s.nextTask(a.sent), now
	}
	t := a.next
	if t == nil || t.at.After(now) {
		if t == nil {
			return lookEvery, nil
		}
		return min(lookEvery, t.at.Sub(now)), nil
	}
	*a = agenda{}
	err := s.doTask(ctx, t)
	if errors.Is(err, ErrForgotten) {
		err = errors.Join(err, s.history.forget(t.sent)) // it would fail for ever
	}
	return 0, err
}

// awake makes Passes look at what is due.
func (s *Sender) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// nextTask returns what of all that was sent is due first, nil for nothing.
func (s *Sender) nextTask(all []*Sent) (first *task) {
	consider := func(t task) {
		if first == nil || t.at.Before(first.at) {
			first = &t
		}
	}
	for i, sent := range all {
		if at, ok := s.passDue(sent); ok {
			consider(task{at: at, sent: sent})
		}
		if at, ok := s.releaseDue(sent); ok {
			consider(task{at: at, sent: sent, release: true})
		}
		if latest := i+1 == len(all) || all[i+1].Source != sent.Source; latest && s.refreshes(sent) {
			consider(task{at: s.refreshDue(sent), sent: sent, refresh: true})
		}
	}
	return first
}

// passDue returns when the next pass of a snapshot is due. A clock that was set
// back makes it due at once, rather than in years.
func (s *Sender) passDue(sent *Sent) (time.Time, bool) {
	r := &s.cfg.Repeat
	n := len(sent.Passes)
	if n >= r.Passes {
		return time.Time{}, false
	}
	if n == 0 { // the program was killed before all of it had left
		return sent.Taken, true
	}
	wait := r.Spacing * time.Duration(n)
	at := sent.Passes[0].Add(wait)
	if now := s.cfg.Clock.Now(); at.After(now.Add(wait)) {
		return now, true
	}
	return at, true
}

func (s *Sender) doTask(ctx context.Context, t *task) error {
	u, err := s.turns.take(ctx, levelPass)
	if err != nil {
		return err
	}
	defer u.leave()
	if t.release {
		return s.release(t.sent, whyOver)
	}
	if t.refresh {
		return s.refresh(ctx, t.sent, u)
	}
	return s.pass(ctx, t.sent, u)
}

// pass sends a snapshot's objects once more, those that did not go out often
// enough since. One that was cut short goes on where it was.
func (s *Sender) pass(ctx context.Context, due *Sent, u *turn) error {
	sent, err := s.cfg.State.sent(due.Source, due.Number)
	if err != nil || len(sent.Passes) != len(due.Passes) {
		return err // it was done or forgotten while this waited for the link
	}
	number := uint32(len(sent.Passes) + 1)
	wanted := func(e *manifest.Entry) bool {
		if number == 1 {
			return !s.history.listed(sent.Source, e)
		}
		return s.cfg.State.times(sent.Source, e.Object).Count < number
	}
	a, err := s.sendAgain(ctx, sent, u, wanted)
	if err != nil {
		return fmt.Errorf("pass %d of %s/%s: %w", number, sent.Source, sent.Name(), err)
	}
	if sent, err = s.cfg.State.sent(sent.Source, sent.Number); err != nil {
		return err // a repair code came between, or it was forgotten
	}
	sent.Passes = append(sent.Passes, s.cfg.Clock.Now().UTC())
	sent.Owed, sent.OwedBytes = a.Gone, a.GoneBytes
	if err := s.cfg.State.saveSent(sent); err != nil {
		return err
	}
	s.told(a, int(number))
	return nil
}

// sendAgain sends the wanted content of a snapshot, then its manifest.
func (s *Sender) sendAgain(ctx context.Context, sent *Sent, u *turn, wanted func(e *manifest.Entry) bool) (*Again, error) {
	a := s.again(sent, u)
	err := s.history.each(sent, func(e *manifest.Entry) error {
		if err := ctx.Err(); err != nil || !wanted(e) {
			return err
		}
		return a.file(ctx, e, nil)
	})
	if err == nil {
		err = a.manifest(ctx)
	}
	if err == nil {
		err = a.finish(ctx)
	}
	if cerr := a.close(); err == nil {
		err = cerr
	}
	return &a.result, err
}

// told logs what a pass has sent; number is 0 for a refresh.
func (s *Sender) told(a *Again, number int) {
	log, words := s.cfg.Log.Info(), "sent once more"
	if a.Gone > 0 {
		log, words = s.cfg.Log.Warn(), "sent once more, without the files that changed or vanished since"
	}
	if len(a.GoneFiles) > 0 {
		log = log.Strs("gone_files", a.GoneFiles)
	}
	log.Str(event.Field, event.PassSent).Str("snapshot", s.cfg.Name+"/"+a.Snapshot).Int("pass", number).Bool("refresh", number == 0).
		Int64("files", a.Files).Int64("bytes", a.Bytes).Int64("gone", a.Gone).Int64("gone_bytes", a.GoneBytes).Msg(words)
}
