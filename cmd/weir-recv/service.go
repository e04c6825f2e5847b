package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/affinity"
	"weir/internal/config"
	"weir/internal/count"
	"weir/internal/event"
	"weir/internal/exit"
	"weir/internal/keyoffer"
	"weir/internal/steward"
	"weir/internal/vault"
	"weir/receiver"
)

// service is weir-recv run: a socket a lane, a receiver and a vault.
type service struct {
	log      zerolog.Logger
	limits   limits
	vault    *vault.Vault
	sockets  *sockets
	receiver *receiver.Receiver
	seen     *seen
	observer *observer
	dir      string        // of the vault
	whole    chan struct{} // one for each restore point that became whole
	keyPaths []string      // of this host's keys

	roster    receiver.Roster // whose sessions are taken; the storing goroutine's
	offers    *keyoffer.Book
	toldOffer map[string]time.Time // when a sender's offer was told of last

	wholeSeen   int
	kernelDrops uint64 // told of so far
	kernelNoted time.Time
}

// maxWhole bounds the restore points that wait to be counted; the loop counts
// them every tick.
const maxWhole = 1 << 16

// newService opens everything that the service needs.
func newService(c config.Receiver, l limits, log zerolog.Logger) (*service, error) {
	spareThread(len(c.Lanes))
	s := &service{log: log, limits: l, dir: c.Vault, seen: newSeen(), whole: make(chan struct{}, maxWhole), toldOffer: map[string]time.Time{}}
	if err := s.open(c); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open opens the vault first: a socket must not be open before what arrives there
// can be stored.
func (s *service) open(c config.Receiver) error {
	s.keyPaths = c.Keys
	if err := mounted(c); err != nil {
		return err
	}
	opt, err := steward.Options(c)
	if err != nil {
		return err
	}
	opt.Log, opt.OnPublish, opt.OnSigners, opt.Point = s.log, s.published, s.changed, points()
	if s.vault, err = vault.TakeOver(context.Background(), c.Vault, opt); err != nil {
		return err
	}
	if s.offers, err = keyoffer.Open(c.Vault, time.Now); err != nil {
		return err
	}
	if s.roster, err = s.catchUp(c.File); err != nil {
		return err
	}
	s.receiver, err = receiver.New(receiver.Config{
		Roster: s.roster, Memory: int64(c.Memory), State: c.State, Log: s.log, Now: time.Now,
		Calibrated: s.calibrated, Offered: s.offered, Stranger: s.stranger, Sink: &sink{vault: s.vault, log: s.log, seen: s.seen},
	})
	if err != nil {
		return err
	}
	if s.sockets, err = listen(c); err != nil {
		return err
	}
	s.observer, err = newObserver(c, s.log, s.seen, opt.MinFree, s.sockets, s.receiver)
	return err
}

// mounted refuses to begin a vault where this receiver has had one: its disk is away,
// and what came would fill the one below.
func mounted(c config.Receiver) error {
	_, err := os.Stat(c.Vault + "/.weir")
	if _, serr := os.Stat(c.State); serr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(vaultAway, c.Vault)
	}
	return nil
}

func (s *service) published(vault.Info) {
	select {
	case s.whole <- struct{}{}:
	default: // more than anybody can have asked for
	}
}

func (s *service) started(c config.Receiver) {
	if warning := s.sockets.warning(); warning != "" {
		s.log.Warn().Str(event.Field, event.BufferClamped).Msg(warning)
	}
	if len(s.roster.Senders) == 0 {
		s.log.Warn().Str(event.Field, event.Started).Msg(noSenders)
	}
	s.log.Info().Str(event.Field, event.Started).Str("listen", s.sockets.addresses()).
		Str("vault", c.Vault).Int("senders", len(c.SenderNames())).Int("buffer", s.sockets.buffer()).Msg(startedWords)
}

// run receives until the context ends or a limit is reached. It stays on one
// thread: the socket blocks it, and the runtime need not know.
func (s *service) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s.observer.start()
	err := affinity.Pin(s.sockets.cpus[0])
	if err == nil {
		err = s.loop(ctx)
	}
	if cerr := s.close(); err == nil {
		err = cerr
	}
	s.log.Info().Str(event.Field, event.Stopped).Msg(stoppedWords)
	if err != nil {
		return err
	}
	return s.verdict()
}

// verdict says by the exit code whether those who asked for an end got what they
// waited for.
func (s *service) verdict() error {
	if s.limits == (limits{}) {
		return nil
	}
	s.enough()
	if s.limits.after > 0 && s.wholeSeen < s.limits.after {
		return exit.With(exit.Damaged, fmt.Errorf(tooFewWhole, count.Of(s.limits.after, "restore point"), s.wholeSeen))
	}
	if s.limits.after > 0 {
		return nil
	}
	infos, err := vault.List(s.dir)
	if err != nil {
		return err
	}
	partial := 0
	for _, i := range infos {
		if i.State != vault.Whole {
			partial++
		}
	}
	if partial > 0 {
		return exit.With(exit.Damaged, fmt.Errorf(someNotWhole, partial))
	}
	return nil
}

func (s *service) loop(ctx context.Context) error {
	last := time.Now()
	ticked := last
	handle := intake(s.receiver.Datagram)
	s.sockets.start(handle)
	for ctx.Err() == nil {
		n, err := s.sockets.receive(handle)
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		now := time.Now()
		if n > 0 {
			last = now
		}
		if now.Sub(ticked) < tick {
			continue
		}
		ticked = now
		settled := false
		s.sockets.alone(func() {
			s.receiver.Tick()
			s.observer.tick(now)
			settled = s.receiver.Settled()
		})
		s.reportKernel(now)
		if s.enough() || settled && s.idle(now.Sub(last)) {
			return nil
		}
	}
	return nil
}

// idle reports whether nothing has come for as long as was asked for. A restore point
// that is being built is waited for, and an object that is read back.
func (s *service) idle(quiet time.Duration) bool {
	return s.limits.idle > 0 && quiet >= s.limits.idle && !s.vault.Building() && !s.vault.ReadingBack()
}

// kernelEvery bounds how often frames that the kernel dropped are told of.
const kernelEvery = time.Second

// reportKernel tells of frames that came to this host and were dropped before
// they were read: the loss is not the link's.
func (s *service) reportKernel(now time.Time) {
	drops := s.sockets.stats().KernelDrops
	if drops == s.kernelDrops || now.Sub(s.kernelNoted) < kernelEvery {
		return
	}
	s.log.Warn().Str(event.Field, event.KernelDropped).Uint64("frames", drops-s.kernelDrops).Uint64("total", drops).Msg(kernelWords)
	s.kernelDrops, s.kernelNoted = drops, now
}

// enough counts the restore points, and reports whether as many as were asked
// for are whole.
func (s *service) enough() bool {
	for len(s.whole) > 0 {
		<-s.whole
		s.wholeSeen++
	}
	return s.limits.after > 0 && s.wholeSeen >= s.limits.after
}

// close ends the socket first, then what hangs on it. The last report is about
// what is stored in the end.
func (s *service) close() error {
	var errs []error
	if s.sockets != nil {
		errs = append(errs, s.sockets.close())
	}
	if s.observer != nil {
		s.observer.stop()
	}
	if s.receiver != nil {
		errs = append(errs, s.receiver.Close())
	}
	if s.observer != nil {
		errs = append(errs, s.observer.last())
		s.seen.write(s.vault)
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	return errors.Join(errs...)
}
