package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/sending"
	"weir/internal/textfile"
	"weir/sender"
)

// metricsEvery is how often the metrics file is written.
const metricsEvery = 5 * time.Second

// standing remembers how pushes ended, since the start.
type standing struct {
	mu      sync.Mutex
	started time.Time // of the service; zero where none runs
	sources map[string]*outcome
}

type outcome struct {
	problems int64
	failed   string
}

// ended notes the end of a push.
func (s *standing) ended(source string, res sender.Result, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources == nil {
		s.sources = map[string]*outcome{}
	}
	o := s.sources[source]
	if o == nil {
		o = &outcome{}
		s.sources[source] = o
	}
	o.problems, o.failed = o.problems+res.Problems, ""
	if err != nil {
		o.failed = err.Error()
	}
}

func (s *standing) of(source string) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.sources[source]; o != nil {
		return *o
	}
	return outcome{}
}

// push has the sender push, and remembers how that ended.
func (s *service) push(ctx context.Context, job sender.Job) (sender.Result, error) {
	res, err := s.sender.Push(ctx, job)
	s.standing.ended(job.Source, res, err)
	return res, err
}

// status says what was sent, how often, and what is next.
func (s *service) status() (*sending.Status, error) {
	o, err := s.sender.Overview()
	if err != nil {
		return nil, err
	}
	stats := s.linkStats()
	st := &sending.Status{
		Written: time.Now().UTC(), Started: s.standing.started, Name: s.config.Name, To: destinations(s.config.Lanes), Rate: s.config.Rate.String(),
		Passes: o.PassesWanted, Spool: sending.Spool{Objects: o.SpoolObjects, Bytes: o.SpoolBytes},
		Link: sending.Link{Wire: s.sender.Wire(), Datagrams: stats.Datagrams, Refused: stats.Refused, Full: stats.Full},
	}
	sources := map[string]*sending.Source{}
	for _, src := range s.config.Sources {
		sources[src.Name] = &sending.Source{Name: src.Name, Every: time.Duration(src.Every)}
	}
	for i := range o.Snapshots { // by source and number: the last is the newest
		r := &o.Snapshots[i]
		src := &sending.Source{Name: r.Source}
		if old := sources[r.Source]; old != nil {
			src.Every = old.Every
		}
		src.Snapshot, src.Number, src.Taken, src.Files, src.Bytes = r.Snapshot, r.Number, r.Taken, r.Files, r.Bytes
		src.Passes, src.Next, src.Owed = len(r.Passes), r.Next, r.OwedBytes
		sources[r.Source] = src
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		src := sources[name]
		ended := s.standing.of(name)
		src.Problems, src.Failed = ended.problems, ended.failed
		st.Sources = append(st.Sources, *src)
	}
	return st, nil
}

// destinations names the receiver's end of every lane.
func destinations(lanes []config.Lane) string {
	var all []string
	for _, l := range lanes {
		all = append(all, l.Address.String())
	}
	return strings.Join(all, ", ")
}

// measuring begins to write the metrics file. What it returns ends that, and has
// to be called before the state is closed, which is read for it.
func (s *service) measuring(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.measure(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// measure writes the metrics file until the context ends. Trouble is told once
// until it ends.
func (s *service) measure(ctx context.Context) {
	tick := time.NewTicker(metricsEvery)
	defer tick.Stop()
	for failing := false; ; {
		err := s.writeMetrics()
		if err != nil && !failing {
			s.log.Error().Str(event.Field, event.StatusFailed).Err(err).Msg("the metrics could not be written")
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *service) writeMetrics() error {
	st, err := s.status()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	sending.WriteMetrics(&text, st)
	return textfile.Replace(s.config.Metrics, text.Bytes())
}
