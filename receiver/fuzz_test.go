package receiver

import (
	"os"
	"testing"

	"github.com/rs/zerolog"
)

// FuzzState reads the file of session counters in every state that a disk can
// leave it in. What is read must be written back the same.
func FuzzState(f *testing.F) {
	g := newRig(f)
	g.close()
	saved, err := os.ReadFile(g.cfg.State)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved)
	f.Add(saved[:len(saved)/2])
	f.Add([]byte(`{"senders":{"x":null,"":{"sessions":[{"announce":"AQ==","floor":18446744073709551615}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := g.cfg
		cfg.State, cfg.Log = t.TempDir()+"/state", zerolog.Nop()
		if err := os.WriteFile(cfg.State, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := New(cfg)
		if err != nil {
			return // the operator is told
		}
		if len(r.sessions) > maxSessions {
			t.Errorf("%d sessions of one sender", len(r.sessions))
		}
		r.Tick()
		before := r.snapshot()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := loadState(cfg.State)
		if err == nil && len(after.Senders) > 0 && len(after.Senders) != len(before.Senders) {
			t.Errorf("%d senders, %d after a restart", len(before.Senders), len(after.Senders))
		}
	})
}
