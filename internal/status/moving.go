package status

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Limits of what counts as arriving.
const (
	movingIdle = 30 * time.Second // without a byte it no longer does
	movingMost = 256              // snapshots at once; senders choose names
	rateWindow = 10 * time.Second
)

// Moving follows what arrives. Add is called for each range that is stored, from
// one goroutine; Transfers from another.
type Moving struct {
	mu  sync.Mutex
	all map[string]*moving
}

type moving struct {
	Transfer
	marked time.Time // when the rate was last reckoned
	before int64     // bytes then
}

// Add notes bytes of a snapshot.
func (m *Moving) Add(snapshot string, bytes int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.all[snapshot]
	if t == nil {
		if m.all == nil {
			m.all = map[string]*moving{}
		}
		if m.sweep(now); len(m.all) >= movingMost {
			return
		}
		t = &moving{Transfer: Transfer{Snapshot: snapshot, Began: now}, marked: now}
		m.all[snapshot] = t
	}
	t.Bytes, t.Last = t.Bytes+int64(bytes), now
}

// sweep forgets what no longer arrives.
func (m *Moving) sweep(now time.Time) {
	for name, t := range m.all {
		if d := now.Sub(t.Last); d > movingIdle || d < 0 {
			delete(m.all, name)
		}
	}
}

// Transfers returns what arrives, the largest first.
func (m *Moving) Transfers(now time.Time) []Transfer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	out := make([]Transfer, 0, len(m.all))
	for _, t := range m.all {
		if d := now.Sub(t.marked); d >= rateWindow || t.Rate == 0 && d > 0 {
			t.Rate = float64(t.Bytes-t.before) / d.Seconds()
			t.marked, t.before = now, t.Bytes
		}
		out = append(out, t.Transfer)
	}
	slices.SortFunc(out, func(a, b Transfer) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Snapshot, b.Snapshot))
	})
	return out
}
