package powercut

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// programPoints are the named points at which the real weir-recv is killed: those
// that its vault passes while it stores, publishes, removes and frees.
var programPoints = append(slices.Clone(points), "condemned", "trashed", "forgotten", "freed")

const (
	// killSoon bounds how long a receiver lives that the clock kills.
	killSoon = 1500 * time.Millisecond
	// passMost bounds the passings of a point before the one that kills.
	passMost = 2
	// verifiedEach is how many of the latest restore points are verified after a kill.
	verifiedEach = 6
)

// TestProgramsKilled kills the real weir-recv with SIGKILL, again and again, at named
// points and at random, while the real weir-send pushes over a link that loses.
// After each kill, what was reported whole is listed, what is listed verifies, and in
// the end all becomes whole and nothing is left over.
func TestProgramsKilled(t *testing.T) {
	t.Parallel()
	kills := amount(2, 210, "WEIR_KILLS")
	seed := seedOf(t)
	disk := tempDir(t)
	k := &slayer{
		t: t, host: newHost(t, disk, seed), work: tempDir(t), chance: rand.New(rand.NewPCG(seed, 8)),
		whole: map[string]bool{}, at: map[string]int{},
	}
	k.host.keep()
	first := k.chance.IntN(len(points)) // a short run comes to some of them only
	for n := 0; k.killed < kills; n++ {
		point := ""
		if n%2 == 0 {
			point = programPoints[(first+n/2)%len(programPoints)]
		}
		if err := k.round(n, point); err != nil {
			t.Fatalf("kill %d of %d (%q): %v", k.killed+1, kills, point, err)
		}
		if k.killed%20 == 0 {
			t.Logf("killed %d times", k.killed)
		}
		if n > 3*kills {
			t.Fatalf("in %d rounds killed only %d times: %v", n, k.killed, k.at)
		}
	}
	if err := k.host.completes(filepath.Join(k.work, grows), filepath.Join(k.work, changes)); err != nil {
		t.Fatalf("in the end: %v", err)
	}
	if err := k.host.verifyWhole(k.reported(), 0); err != nil {
		t.Fatalf("in the end: %v", err)
	}
	t.Logf("weir-recv was killed %d times, at %v; %d restore points had been reported whole", k.killed, k.at, len(k.whole))
}

// slayer remembers what was reported before the kills.
type slayer struct {
	t      *testing.T
	host   *host
	work   string
	chance *rand.Rand
	killed int
	at     map[string]int

	mu    sync.Mutex
	whole map[string]bool
}

func (k *slayer) note(ref string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ref != "" {
		k.whole[ref] = true
	}
}

func (k *slayer) reported() (refs []string) {
	for ref := range k.whole {
		refs = append(refs, ref)
	}
	return refs
}

// round starts a receiver, sends to it, and kills it at a point or by the clock.
func (k *slayer) round(n int, point string) error {
	left, dead, over := 1+k.chance.IntN(passMost), make(chan string, 1), make(chan struct{})
	r, err := k.host.begin(func(line string) { k.note(wholeIn(line)) }, func(name string) {
		if name != point {
			return
		}
		if left--; left == 0 {
			dead <- name
			<-over // the kill finds it here
		}
	})
	if err != nil {
		return err
	}
	soon := make(<-chan time.Time)
	if point == "" {
		soon = time.After(time.Duration(k.chance.Int64N(int64(killSoon))))
	}
	sent := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { sent <- k.send(ctx, n, r) }()
	var late <-chan time.Time // some points are passed only when the link is quiet
	var serr error
	for kill := false; !kill; {
		select {
		case name := <-dead:
			k.at[name]++
			kill = true
		case <-soon:
			k.at["random"]++
			kill = true
		case <-late:
			k.at["not passed: "+point]++
			k.killed--
			kill = true
		case serr = <-sent:
			sent, late = nil, time.After(roundEvery)
			kill = serr != nil
		}
	}
	r.cmd.Process.Kill()
	close(over)
	cancel()
	<-r.done
	if k.killed++; sent != nil {
		serr = <-sent
	}
	if serr != nil && r.cmd.ProcessState.Exited() {
		return fmt.Errorf("%w\n%s", serr, r.log())
	}
	return k.host.verifyWhole(k.reported(), verifiedEach)
}

// send sends while the receiver may be killed at any time.
func (k *slayer) send(ctx context.Context, n int, r *receiver) error {
	if r.ready() != nil {
		return nil // killed before it received
	}
	k.host.lossy.Store([]int32{0, outageOften, outageEvery}[n%3])
	defer k.host.lossy.Store(0)
	rng := rand.New(rand.NewPCG(uint64(n), k.chance.Uint64()))
	var err error
	grown := filepath.Join(k.work, grows)
	if err = grow(grown, rng, n); err == nil {
		err = fill(filepath.Join(grown, fmt.Sprint("large", n)), 5<<18, rng) // too large to wait in memory for its end
	}
	if err == nil {
		err = k.host.push(grows, grown, "--changed")
	}
	if err == nil && n%2 == 0 {
		k.host.lossy.Store(0)
		if err = replaced(filepath.Join(k.work, changes), rng); err == nil {
			err = k.host.push(changes, filepath.Join(k.work, changes))
		}
		if err == nil {
			// Nobody answers it once the receiver is dead.
			k.host.command(ctx, "weir-vault", "prune", "--config", k.host.file("receiver.toml")).Run()
		}
	}
	return err
}
