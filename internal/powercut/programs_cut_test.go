package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// seedOf returns the seed of a test: WEIR_SEED, or the time.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WEIR_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("WEIR_SEED=%d", seed)
	return seed
}

// shortOf skips all but n of the cases of a short run, others each time.
func shortOf(t *testing.T, n, i, all int) {
	t.Helper()
	if os.Getenv("WEIR_LONG")+os.Getenv("WEIR_SEED") == "" && (i+int(started%uint64(all)))%all >= n {
		t.Skipf("a short run takes %d of %d, others each time; WEIR_LONG=1 or a WEIR_SEED takes all", n, all)
	}
}

var started = uint64(time.Now().Unix())

// amount is a number of cuts or kills: what fits into a short run, or what WEIR_LONG
// and a variable of its own ask for.
func amount(short, long int, variable string) int {
	if os.Getenv("WEIR_LONG") == "" {
		return short
	}
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return long
}

// TestProgramsPowerCuts lets the real weir-send push snapshot after snapshot over a
// link that loses to the real weir-recv, whose vault and state lie on a recorded
// disk. The power is cut at each named point and at random; what was left is mounted
// and held against what the log, the event log or `weir-vault list` had reported
// whole; then the weir-recv that is shipped goes on there, and all becomes whole.
func TestProgramsPowerCuts(t *testing.T) {
	t.Parallel()
	snapshots, cuts := amount(3, 24, ""), amount(1, 70, "WEIR_CUTS")
	for i, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			shortOf(t, 1, i, len(systems))
			s.need(t)
			t.Parallel()
			seed := seedOf(t)
			dir := scratch(t)
			d, mounted, unmount := s.disk(t, dir)
			c := s.record(t, d, dir)
			p := &past{t: t, disk: d, host: newHost(t, mounted, seed), work: tempDir(t), whole: map[string]int{}, points: map[string][]int{}}
			p.host.keep()
			p.happen(rand.New(rand.NewPCG(seed, 6)), snapshots)
			c.Take(d)
			unmount() // some file systems mind a copy of one that is mounted
			a := &aftermath{past: p, system: s, cuts: c, dir: dir, chance: rand.New(rand.NewPCG(seed, 7))}
			a.run(cuts)
		})
	}
}

// past is what happened to a real receiver, and when.
type past struct {
	t    *testing.T
	disk *Disk
	host *host
	work string // what is sent

	mu     sync.Mutex
	whole  map[string]int   // moments at which restore points were reported whole
	points map[string][]int // at which named points were passed
	begun  int              // when the first snapshot was
}

// keep gives the host its rules of retention.
func (h *host) keep() { h.t.Helper(); h.append("receiver.toml", keepRules) }

// append adds to a configuration.
func (h *host) append(name, text string) {
	h.t.Helper()
	f, err := os.OpenFile(h.file(name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// change sends the second source as it is now, and has retention remove what is old.
func (h *host) change(dir string, rng *rand.Rand) error {
	err := replaced(dir, rng)
	if err == nil {
		err = h.push(changes, dir)
	}
	if err == nil {
		_, err = h.try("weir-vault", "prune", "--config", h.file("receiver.toml"))
	}
	return err
}

func (p *past) noted(ref string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.whole[ref]; !known && ref != "" {
		p.whole[ref] = p.disk.Now()
	}
}

// passed notes a named point, and what is listed there. The receiver waits meanwhile.
func (p *past) passed(name string) {
	p.mu.Lock()
	p.points[name] = append(p.points[name], p.disk.Now())
	p.mu.Unlock()
	if all, err := p.host.list(); err != nil {
		p.t.Errorf("at the point %s: %v", name, err)
	} else {
		for _, l := range all {
			if l.State == "whole" {
				p.noted(l.ref())
			}
		}
	}
}

func (p *past) start() *receiver {
	p.t.Helper()
	r, err := p.host.begin(func(line string) { p.noted(wholeIn(line)) }, p.passed)
	if err == nil {
		err = r.ready()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *past) grown() string   { return filepath.Join(p.work, grows) }
func (p *past) changed() string { return filepath.Join(p.work, changes) }

// happen sends the snapshots. Now and then the receiver is started anew, and what
// was lost is asked for.
func (p *past) happen(rng *rand.Rand, snapshots int) {
	p.t.Helper()
	r := p.start()
	p.begun = p.disk.Now()
	for n := range snapshots {
		p.host.lossy.Store([]int32{0, outageEvery, outageOften}[n%3])
		err := grow(p.grown(), rng, n)
		if err == nil {
			err = p.host.push(grows, p.grown(), []string{"--changed"}[n%2:]...)
		}
		if p.host.lossy.Store(0); err == nil && n%2 == 0 {
			err = p.host.change(p.changed(), rng)
		}
		if err == nil && n%4 == 3 {
			err = p.host.resend()
		}
		if err == nil && n%7 == 4 {
			err = r.stop()
			r = p.start()
		}
		if err != nil {
			p.t.Fatalf("%v\n%s", err, r.log())
		}
	}
	if err := p.host.untilWhole(); err != nil {
		p.t.Fatalf("without a cut: %v\n%s", err, r.log())
	}
	if err := r.stop(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.host.nothingLeft(); err != nil {
		p.t.Fatalf("without a cut: %v", err)
	}
}

// aftermath makes the cuts.
type aftermath struct {
	past   *past
	system system
	cuts   *Cuts
	dir    string
	chance *rand.Rand
	made   int
	held   int // restore points that had been reported whole before the cuts
	bad    int
}

func (a *aftermath) run(random int) {
	t, p := a.past.t, a.past
	var all []cut
	var names []string
	for name := range p.points {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) < 10 {
		t.Fatalf("only %d named points were passed: %v", len(names), names)
	}
	pick := a.chance.IntN(len(names))
	for i, name := range names {
		moments := p.points[name]
		torns := []bool{false, true}
		if os.Getenv("WEIR_LONG") == "" {
			if i != pick {
				continue // a short run takes one of them
			}
			torns = torns[1:]
		}
		for _, torn := range torns {
			all = append(all, cut{moments[a.chance.IntN(len(moments))], name, torn})
		}
	}
	last := len(a.cuts.log)
	for i := range random {
		all = append(all, cut{p.begun + a.chance.IntN(last-p.begun), "random", i%2 == 0})
	}
	slices.SortFunc(all, func(x, y cut) int { return x.at - y.at })
	for i, c := range all {
		if a.make(c); i%20 == 19 {
			t.Logf("%s: %d of %d cuts, %d failed", a.system.name, i+1, len(all), a.bad)
		}
	}
	t.Logf("%s: %d cuts of a history of %d writes, %d of them at random, %d named points; %d times a restore point had been reported whole before; %d cuts failed",
		a.system.name, len(all), last, random, len(names), a.held, a.bad)
}

// make makes a cut, mounts what is left and looks at it.
func (a *aftermath) make(c cut) {
	t := a.past.t
	t.Helper()
	a.made++
	path := filepath.Join(a.dir, fmt.Sprint("cut-", a.made))
	defer os.Remove(path)
	chance := a.chance
	if !c.torn {
		chance = nil
	}
	if err := a.cuts.Image(path, c.at, chance); err != nil {
		t.Fatal(err)
	}
	mounted := filepath.Join(a.dir, fmt.Sprint("after-", a.made))
	device, detach := a.system.attach(t, path)
	defer detach()
	unmount, err := a.system.mount(device, mounted)
	if err == nil {
		err = a.look(c, mounted)
		unmount()
	}
	if err == nil {
		return
	}
	a.bad++
	t.Errorf("cut at write %d of %d (%s, torn %v): %v", c.at, len(a.cuts.log), c.name, c.torn, err)
	if kept := os.Getenv("WEIR_KEEP"); kept != "" {
		if err := a.cuts.Image(filepath.Join(kept, fmt.Sprintf("%s-%d", a.system.name, c.at)), c.at, nil); err != nil {
			t.Log(err)
		}
	}
}

func (a *aftermath) look(c cut, mounted string) error {
	h, err := a.after(mounted)
	if err != nil {
		return err
	}
	defer os.RemoveAll(h.dir)
	var reported []string
	for ref, at := range a.past.whole {
		if at <= c.at {
			reported = append(reported, ref)
		}
	}
	a.held += len(reported)
	if err := h.verifyWhole(reported, 1<<20); err != nil {
		return fmt.Errorf("as it was left: %w", err)
	}
	if err := h.completes(a.past.grown(), a.past.changed()); err != nil {
		return fmt.Errorf("going on: %w", err)
	}
	if err := h.verifyWhole(reported, 0); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	return nil
}

// after is the host after a cut: the sender has not noticed anything, the vault's
// system was started again.
func (a *aftermath) after(mounted string) (*host, error) {
	h := *a.past.host
	h.sent = &sync.Map{}
	h.dir, h.vault = filepath.Join(a.dir, fmt.Sprint("host-", a.made)), filepath.Join(mounted, "vault")
	if out, err := exec.Command("cp", "-a", a.past.host.dir, h.dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copying the sender's state: %w: %s", err, out)
	}
	h.edit("receiver.toml", filepath.Dir(a.past.host.vault)+"/", mounted+"/")
	h.boot = h.file("boot")
	return &h, os.WriteFile(h.boot, fmt.Appendf(nil, "after a cut %d\n", a.chance.Uint64()), 0o444)
}
