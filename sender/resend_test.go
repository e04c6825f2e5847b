package sender

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/repaircode"
)

// codeFor makes a code as the vault does, for a snapshot that was sent.
func (r *rig) codeFor(sent *Sent, parts ...repaircode.Part) string {
	var all []repaircode.Binding
	for i := range parts {
		parts[i].Source, parts[i].Number = repaircode.SourceHash(sent.Source), sent.Number
		b := repaircode.Binding{Sender: r.cfg.Name, Source: sent.Source, Number: sent.Number, Taken: sent.Taken}
		if k := parts[i].Kind; k == repaircode.Files || k == repaircode.Units {
			b.Manifest = sent.SHA256
		}
		all = append(all, b)
	}
	return repaircode.Code{Parts: parts}.Text(repaircode.Key(all))
}

func (r *rig) resend(codes ...string) ([]*Again, error) {
	plan, err := r.Plan(r.t.Context(), codes, false)
	if err != nil {
		return nil, err
	}
	return r.Resend(r.t.Context(), plan, nil)
}

func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{"a": noise(1, 100), "b": noise(2, 1_000_000), "c": noise(3, 5000), "d": noise(4, 4097)}
		write(t, dir, files)
		settle(t)
		_, got := r.push(Job{Paths: []string{dir}})
		sent := r.sentOnly("src", 1)

		r.reset()
		all, err := r.resend(r.codeFor(sent, repaircode.Part{Kind: repaircode.Files, Ranges: []repaircode.Range{{First: 0, Length: 1}, {First: 2, Length: 2}}}))
		if err != nil || len(all) != 1 || all[0].Files != 3 || all[0].Bytes != 100+5000+4097 || all[0].Manifest {
			t.Fatalf("%v %+v", err, all[0])
		}
		for _, name := range []string{"a", "c", "d"} {
			r.wantContent(got.entries[name].Object, files[name])
		}
		if len(r.objects) != 3 || len(r.manifests) != 0 {
			t.Errorf("%d objects and %d manifests were sent", len(r.objects), len(r.manifests))
		}

		// Units 1 to 4 of b, and the last unit of b with all that follows: b begins
		// at unit 1 and has 245.
		r.reset()
		all, err = r.resend(r.codeFor(sent, repaircode.Part{Kind: repaircode.Units, Ranges: []repaircode.Range{{First: 2, Length: 4}, {First: 245, Length: 5}}}))
		if err != nil || all[0].Files != 3 || all[0].Bytes != 4*4096+(1_000_000-244*4096)+5000+4097 {
			t.Fatalf("%v %+v", err, all[0])
		}
		o := r.objects[got.entries["b"].Object]
		if o.end == nil || o.end.SHA256 != got.entries["b"].SHA256 || o.at[4096] == 0 || !slices.Equal(o.data[4096:5*4096], files["b"][4096:5*4096]) || o.got != 4*4096+1_000_000-244*4096 {
			t.Errorf("%d bytes of b", o.got)
		}
		if n := r.cfg.State.times("src", got.entries["b"].Object).Count; n != 1 {
			t.Errorf("parts of an object count as a pass: %d", n)
		}

		r.reset()
		all, err = r.resend(r.codeFor(sent, repaircode.Part{Kind: repaircode.Manifest}))
		if err != nil || !all[0].Manifest || all[0].Files != 0 || len(r.objects) != 1 || len(r.manifests) == 0 || r.manifests[0] != got.record {
			t.Errorf("%v %+v, %d objects", err, all[0], len(r.objects))
		}
		r.reset()
		if all, err = r.resend(r.codeFor(sent, repaircode.Part{Kind: repaircode.Everything, Count: 1})); err != nil || all[0].Files != 4 {
			t.Fatalf("%v %+v", err, all[0])
		}
		for name, want := range files {
			r.wantContent(got.entries[name].Object, want)
		}
		if s := r.sentOnly("src", 1); s.Resent == 0 || !s.ResentAt.Equal(time.Now().UTC()) && time.Since(s.ResentAt) > time.Minute {
			t.Errorf("%+v", s)
		}
	})
}

// TestResendOfWhatChanged says what cannot be sent, and sends nothing wrong.
func TestResendOfWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"changed": noise(1, 50_000), "gone": noise(2, 50_000), "here": noise(3, 50_000)})
		_, got := r.push(Job{Paths: []string{dir}})
		write(t, dir, map[string][]byte{"changed": noise(4, 50_000)})
		must(t, os.Remove(filepath.Join(dir, "gone")))
		r.reset()
		all, err := r.resend(r.codeFor(r.sentOnly("src", 1), repaircode.Part{Kind: repaircode.Units, Ranges: []repaircode.Range{{First: 1, Length: 30}}}))
		if err != nil || all[0].Gone != 2 || all[0].Files != 1 || !slices.Equal(all[0].GoneFiles, []string{"changed", "gone"}) {
			t.Fatalf("%v %+v", err, all[0])
		}
		if r.objects[got.entries["changed"].Object] != nil {
			t.Error("other content was sent under the object of a file that changed")
		}
	})
}

// TestResendOfSeveralPaths finds files below several roots, and a single file.
func TestResendOfSeveralPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"x/tree/deep/a": noise(1, 5000), "y/b": noise(2, 5000), "z/b2": noise(3, 5000)})
		paths := []string{filepath.Join(dir, "x/tree"), filepath.Join(dir, "y/b"), filepath.Join(dir, "z/b2")}
		_, got := r.push(Job{Paths: paths})
		_, one := r.push(Job{Source: "one", Paths: paths[1:2]})
		r.reset()
		everything := repaircode.Part{Kind: repaircode.Everything, Count: 1}
		all, err := r.resend(r.codeFor(r.sentOnly("src", 1), everything), r.codeFor(r.sentOnly("one", 1), everything))
		if err != nil || all[0].Files != 3 || all[1].Files != 1 || all[0].Gone+all[1].Gone != 0 {
			t.Fatalf("%v %+v", err, all)
		}
		r.wantContent(got.entries["tree/deep/a"].Object, noise(1, 5000))
		r.wantContent(one.entries["b"].Object, noise(2, 5000))
	})
}

// TestResendOfSnapshotsInARow sends what they share once.
func TestResendOfSnapshotsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(1, 50_000), "b": noise(2, 60_000), "empty": nil})
		settle(t)
		r.push(Job{Paths: []string{dir}})
		write(t, dir, map[string][]byte{"c": noise(3, 70_000), "void": nil})
		settle(t)
		_, got := r.push(Job{Paths: []string{dir}})
		code := r.codeFor(r.sentOnly("src", 1), repaircode.Part{Kind: repaircode.Everything, Count: 2})
		plan, err := r.Plan(t.Context(), []string{code}, false)
		if err != nil || len(plan.Orders) != 2 || plan.Orders[0].Bytes != 110_000 || plan.Orders[1].Bytes != 70_000 {
			t.Fatalf("%v %+v", err, plan)
		}
		r.reset()
		all, err := r.resend(code)
		if err != nil || len(all) != 2 || all[0].Bytes != 110_000 || all[1].Bytes != 70_000 || !all[0].Manifest || !all[1].Manifest {
			t.Fatalf("%v %+v", err, all)
		}
		for i, name := range []string{"a", "b", "c"} {
			r.wantContent(got.entries[name].Object, noise(uint64(i+1), 50_000+10_000*i))
		}
	})
}

func TestCodesThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(1, 100)})
		r.push(Job{Paths: []string{dir}})
		sent := r.sentOnly("src", 1)
		file := repaircode.Part{Kind: repaircode.Files, Ranges: []repaircode.Range{{First: 0, Length: 1}}}
		good := r.codeFor(sent, file)
		if _, err := r.Plan(t.Context(), []string{good[:1] + "Z" + good[2:]}, false); !errors.Is(err, repaircode.ErrCode) {
			t.Errorf("a typing error: %v", err)
		}
		others := map[string]*Sent{}
		for name, change := range map[string]func(s *Sent){
			"another source":   func(s *Sent) { s.Source = "other" },
			"another number":   func(s *Sent) { s.Number = 2 },
			"another time":     func(s *Sent) { s.Taken = s.Taken.Add(time.Second) },
			"another manifest": func(s *Sent) { s.SHA256[0]++ },
		} {
			other := *sent
			change(&other)
			others[name] = &other
		}
		for name, other := range others {
			if _, err := r.Plan(t.Context(), []string{r.codeFor(other, file)}, false); !errors.Is(err, ErrOtherCode) {
				t.Errorf("%s: %v", name, err)
			}
		}
		beyond := repaircode.Part{Kind: repaircode.Files, Ranges: []repaircode.Range{{First: 0, Length: 2}}}
		if _, err := r.Plan(t.Context(), []string{r.codeFor(sent, beyond)}, false); !errors.Is(err, ErrOtherCode) {
			t.Errorf("a file that is not there: %v", err)
		}
		if plan, err := r.Plan(t.Context(), []string{r.codeFor(others["another time"], file), good}, true); err != nil || len(plan.Orders) != 1 {
			t.Errorf("a code for another sender beside one for this: %v", err)
		}
		if plan, err := r.Plan(t.Context(), []string{good}, false); err != nil || plan.Orders[0].Files != 1 || plan.Orders[0].Bytes != 100 {
			t.Errorf("%v", err)
		}
	})
}

// TestCodeWithLostSnapshots has a code name a snapshot that was never finished, and
// one that is forgotten, beside one that can be sent: that one is.
func TestCodeWithLostSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Repeat.History = 1 })
		dir := t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(1, 100)})
		res, _ := r.push(Job{Paths: []string{dir}})
		forgotten := &Sent{Source: "src", Number: 1, Taken: res.Taken}
		if _, err := r.Push(t.Context(), Job{Source: "src", Paths: []string{"/nowhere/at/all"}}); err == nil {
			t.Fatal("nothing was sent without an error")
		}
		unfinished := &Sent{Source: "src", Number: 2, Taken: time.Now().UTC().Truncate(time.Second)}
		r.push(Job{Paths: []string{dir}})
		sent := r.sentOnly("src", 3)
		var parts []repaircode.Part
		var bindings []repaircode.Binding
		for _, s := range []*Sent{forgotten, unfinished, sent} {
			parts = append(parts, repaircode.Part{Source: repaircode.SourceHash("src"), Number: s.Number, Kind: repaircode.Everything, Count: 1})
			bindings = append(bindings, repaircode.Binding{Sender: r.cfg.Name, Source: "src", Number: s.Number, Taken: s.Taken})
		}
		all, err := r.resend(repaircode.Code{Parts: parts}.Text(repaircode.Key(bindings)))
		if err != nil || len(all) != 3 || !all[0].Lost || !all[1].Lost || all[2].Lost || all[2].Files != 1 {
			t.Errorf("%v %+v", err, all)
		}
	})
}

// TestHistoryIsBounded keeps the latest snapshots of each source and their
// manifests, and forgets the others with all that belongs to them.
func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, func(c *Config) { c.Repeat.History = 3 })
		for i := range 6 {
			write(t, dir, map[string][]byte{"changes": noise(uint64(i), 3000), "stays": noise(99, 3000)})
			r.push(Job{Paths: []string{dir}, All: true})
			time.Sleep(time.Second)
		}
		r.push(Job{Source: "other", Paths: []string{dir}})
		all, err := r.cfg.State.Sent()
		if err != nil || len(all) != 4 || all[0].Source != "other" || all[1].Number != 4 {
			t.Fatalf("%v, %d snapshots", err, len(all))
		}
		names, err := os.ReadDir(filepath.Join(r.cfg.Scratch, "sent", "manifests"))
		if err != nil || len(names) != 4 {
			t.Errorf("%v %v", names, err)
		}
		if _, err := r.cfg.State.sent("src", 2); !errors.Is(err, ErrForgotten) {
			t.Error(err)
		}
	})
}
