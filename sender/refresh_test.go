package sender

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRefresh sends the latest snapshot whole when it is due, also what has had all
// of its passes, and then again and again.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t, func(c *Config) { c.Repeat = Repeat{Refresh: 7 * time.Hour} }), t.TempDir()
		files := map[string][]byte{"a": noise(1, 70_000), "b": noise(2, 70_000)}
		write(t, dir, files)
		settle(t)
		r.push(Job{Paths: []string{dir}})
		write(t, dir, map[string][]byte{"b": noise(3, 70_000)})
		files["b"] = noise(3, 70_000)
		settle(t)
		_, second := r.push(Job{Paths: []string{dir}})
		stop := r.withPasses()
		for n := range 3 {
			r.reset()
			time.Sleep(7*time.Hour - time.Minute)
			synctest.Wait()
			if n == 0 && r.came() > 0 {
				t.Error("it was refreshed too early")
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			for name, want := range files {
				r.wantContent(second.entries[name].Object, want)
			}
			if r.came() != 3 {
				t.Errorf("%d objects", r.came())
			}
		}
		stop()
	})
}

// TestRefreshOfBusySource has snapshots come far more often than refreshes, and the
// program restart between them: what never changed goes out again all the same.
func TestRefreshOfBusySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t, func(c *Config) { c.Repeat, c.Announce = Repeat{Refresh: 24 * time.Hour}, time.Minute }), t.TempDir()
		still := noise(1, 70_000)
		write(t, dir, map[string][]byte{"still": still})
		settle(t)
		_, first := r.push(Job{Paths: []string{dir}})
		object, refreshed := first.entries["still"].Object, 0
		for hour := range 50 {
			r.reset()
			stop := r.withPasses()
			time.Sleep(time.Hour)
			write(t, dir, map[string][]byte{"busy": noise(uint64(hour), 100)})
			if _, err := r.Push(t.Context(), Job{Source: "src", Paths: []string{dir}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			stop()
			if r.arrived(object) != nil {
				refreshed++
				r.wantContent(object, still)
			}
			r.stop()
			r.start()
		}
		if refreshed != 2 {
			t.Errorf("in 50 hours what did not change went out %d times more, want 2", refreshed)
		}
	})
}
