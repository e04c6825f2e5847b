package sender

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// TestCutShortAtTheEnd ends the program when the manifest has left and nothing after
// it. The vault waits for what lacks of such a snapshot: it is not told of as
// abandoned, the next start finishes it, and the one after it names it as the one
// before.
func TestCutShortAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t, three, func(c *Config) { c.Burst = time.Second }), t.TempDir() // the tail waits for two
		write(t, dir, map[string][]byte{"a": noise(1, 70_000)})
		settle(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Push(ctx, Job{Source: "src", Paths: []string{dir}}); err == nil {
			t.Fatal("the push was not cut short")
		}
		r.stop()
		r.start()
		r.tells()
		sent := r.sentOnly("src", 1)
		if len(sent.Passes) != 0 {
			t.Fatalf("%+v", sent)
		}
		stop := r.withPasses()
		time.Sleep(time.Minute)
		synctest.Wait()
		if sent = r.sentOnly("src", 1); len(sent.Passes) != 1 || sent.Owed != 0 {
			t.Errorf("%+v", sent)
		}
		r.mu.Lock()
		if len(r.manifests) == 0 || r.manifests[0].SHA256 != sent.SHA256 {
			t.Errorf("the manifest did not come again: %v", r.manifests)
		}
		r.mu.Unlock()
		if next, ok := r.passDue(sent); !ok || time.Until(next) < 58*time.Minute {
			t.Errorf("the second pass is due at %v", next)
		}
		stop()
		r.reset()
		if _, second := r.push(Job{Paths: []string{dir}}); second.record.Previous != sent.SHA256 {
			t.Error("the next snapshot names another one before it")
		}
	})
}

// TestSpoolIsSynced brings copies to stable storage before the manifest leaves, once
// a snapshot, and says if that fails.
func TestSpoolIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder // read while nothing is under way
		r, dir := newRig(t, three, func(c *Config) {
			c.Repeat.Spool, c.Log = SpoolCopy, zerolog.New(zerolog.SyncWriter(&log))
		}), t.TempDir()
		synced, fail := 0, error(nil)
		r.spool.flush = func(int) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if synced++; len(r.manifests) != 0 {
				t.Error("the manifest left before the copies were safe")
			}
			return fail
		}
		write(t, dir, map[string][]byte{"a": noise(1, 70_000), "b": noise(2, 70_000)})
		settle(t)
		r.push(Job{Paths: []string{dir}})
		r.reset()
		r.push(Job{Paths: []string{dir}}) // nothing new
		if synced != 1 || strings.Contains(log.String(), "spool-short") {
			t.Errorf("the spool was synced %d times: %s", synced, &log)
		}
		fail = unix.EIO
		r.reset()
		write(t, dir, map[string][]byte{"a": noise(3, 70_000)})
		r.push(Job{Paths: []string{dir}})
		if synced != 2 || !strings.Contains(log.String(), "spool-short") {
			t.Errorf("the disk failed, and the sender says: %s", &log)
		}
	})
}
