package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/affinity"
	"weir/internal/config"
	"weir/internal/geometry"
	"weir/internal/keys"
	"weir/internal/pacing"
	"weir/internal/udptx"
	"weir/sender"
)

// service is a sender with its socket and its state.
type service struct {
	config   config.Sender
	log      zerolog.Logger
	state    *sender.State
	links    []*udptx.Conn // a lane each
	sender   *sender.Sender
	standing standing
	patient  func(error) bool
	keyWork  sync.Mutex // one change of the key at a time
	ballast  []byte     // see ballastSize
}

// newService opens all of it. Patient is that of sender.Config.
func newService(c config.Sender, log zerolog.Logger, patient func(error) bool) (*service, error) {
	spareThread()
	s := &service{config: c, log: log, patient: patient, ballast: make([]byte, ballastSize)}
	lanes, err := s.dial()
	if err == nil {
		err = s.open(lanes)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newOffline opens all but the link: what only looks at the state, or changes it,
// works on a host without a route or an interface too.
func newOffline(c config.Sender, log zerolog.Logger) (*service, error) {
	s := &service{config: c, log: log}
	if err := s.open(nil); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *service) open(lanes []sender.Link) error {
	c := &s.config
	signer, err := keys.LoadSender(c.Key)
	if err != nil {
		return err
	}
	receiver, err := keys.ParseReceiver(c.Receiver)
	if err != nil {
		return fmt.Errorf("reading the receiver's key in %s: %w", c.File, err)
	}
	g := c.Geometry
	if g.K == 0 {
		g, err = geometry.New(uint64(c.Rate), c.Overhead.Fraction(), time.Duration(c.Burst), g.Symbol)
		if err != nil {
			return err
		}
	}
	if s.state, err = sender.OpenState(c.State); err != nil {
		return err
	}
	sealed, err := sealedSources(c.Sources)
	if err != nil {
		return err
	}
	s.sender, err = sender.New(sender.Config{
		Name: c.Name, Signer: signer, Receiver: receiver, Rate: uint64(c.Rate), Geometry: g,
		Burst: time.Duration(c.Burst), BurstBytes: int(c.BurstBytes), Heartbeat: time.Duration(c.Heartbeat), Clock: pacing.System{},
		Lanes: lanes, Patient: s.patient, State: s.state, Scratch: filepath.Dir(c.State), Tool: tool(), Log: s.log,
		Sealed: sealed, Own: c.Own(),
		Repeat: sender.Repeat{
			Dir: c.Kept(), History: c.Repeat.History, HistoryBytes: int64(c.Repeat.HistorySize),
			Passes: c.Repeat.Passes, Spacing: time.Duration(c.Repeat.PassSpacing), Refresh: c.Repeat.RefreshEvery(),
			Spool: sender.SpoolMode(c.Repeat.Spool), SpoolDir: c.Repeat.SpoolDir, SpoolBytes: int64(c.Repeat.SpoolSize),
			SpoolKeep: cmp.Or(time.Duration(c.Repeat.SpoolKeep), -1), // 0 stands for the default there
		},
	})
	return err
}

func (s *service) close() error {
	var errs []error
	for _, l := range s.links {
		errs = append(errs, l.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	return errors.Join(errs...)
}

// with runs the sender for as long as work takes. Work ends early when the link
// fails, and the link's error is the one that is told.
func (s *service) with(ctx context.Context, work func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer context.AfterFunc(ctx, s.stopLinks)()
	done := make(chan error, 1)
	go func() {
		err := affinity.Pin(s.config.CPU)
		if err == nil {
			err = s.sender.Run(ctx)
		}
		cancel(err)
		done <- err
	}()
	err := work(ctx)
	cancel(nil)
	if lerr := <-done; lerr != nil {
		err = lerr
	}
	if cerr := s.close(); err == nil {
		err = cerr
	}
	return err
}

// tool is what the manifest says it was made by.
func tool() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return filepath.Base(os.Args[0]) + " " + version
}
