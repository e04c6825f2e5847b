package powercut

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/vault"
)

// TestKills ends the process that writes a vault with SIGKILL, again and again:
// at named points, and at random moments. After each, what is listed as whole is
// whole, and what was reported whole is listed. In the end nothing is left over.
func TestKills(t *testing.T) {
	kills := 22
	if os.Getenv("WEIR_LONG") != "" {
		kills = 220
	}
	snapshots := kills + 3
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("WEIR_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("WEIR_SEED=%d", seed)
	dir := tempDir(t)
	k := &killer{t: t, chance: rand.New(rand.NewPCG(seed, 4)), points: map[string]int{}, whole: map[string]bool{}}
	o := order{Vault: dir, Seed: seed, Snapshots: snapshots, Most: 3}
	for n := range kills {
		o.First = n
		if n%3 == 2 {
			k.round(o, "")
		} else {
			k.round(o, points[n%len(points)])
		}
		k.verify(dir, n)
	}
	w := newWorld(seed, snapshots)
	v := w.open(dir, vault.Options{})
	for _, s := range w.shots {
		w.send(v, s, nil)
	}
	must(v.Close())
	k.verify(dir, 0)
	w.checkLeftOvers(dir)
	if len(k.points) < len(points)/2 || k.killed < kills/3 {
		t.Errorf("killed %d times, at %d named points only: %v", k.killed, len(k.points), k.points)
	}
	t.Logf("killed %d times of %d, at %v", k.killed, kills, k.points)
}

// tempDir is t.TempDir for trees with read-only directories.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				os.Chmod(p, 0o755)
			}
			return nil
		})
		os.RemoveAll(dir)
	})
	return dir
}

// killer remembers what was reported before the kills.
type killer struct {
	t      *testing.T
	chance *rand.Rand
	points map[string]int
	whole  map[string]bool
	killed int
}

// points are those of the discipline at which a writer is killed.
var points = []string{
	"object-synced", "object-moved", "objects-synced", "built", "staged", "renamed", "published", "listed", "event-written", "noted", "cleared",
}

const (
	mostPassed = 2                      // passings of a point before the one that kills
	mostTime   = 250 * time.Millisecond // how long a writer lives that the clock kills
)

// round runs a writer and kills it at a point, or by the clock.
func (k *killer) round(o order, point string) {
	k.t.Helper()
	cmd := role(k.t, roleWrite, o)
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	var said strings.Builder
	cmd.Stderr = &said
	must(cmd.Start())
	left := 1 + k.chance.IntN(mostPassed)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, name, _ := strings.Cut(lines.Text(), " ")
		if what == "whole" {
			k.whole[name] = true
		}
		if what == "begin" && point == "" {
			point = "any"
			time.AfterFunc(time.Duration(k.chance.Int64N(int64(mostTime))), func() { cmd.Process.Kill() })
		}
		if what == "point" && name == point {
			if left--; left == 0 {
				k.points[name]++
				cmd.Process.Kill()
			}
		}
		io.WriteString(in, "\n")
	}
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.Exited() {
		k.t.Fatalf("the writer ended by itself: %v\n%s", err, said.String())
	}
	if err != nil {
		k.killed++
	}
}

const (
	latest = 5  // restore points before the first that is sent are verified each time
	old    = 20 // and one in so many of the older ones
)

// verify looks at the vault while nobody holds it; first is the snapshot that
// came first since the last time.
func (k *killer) verify(dir string, first int) {
	k.t.Helper()
	infos, err := vault.List(dir)
	if os.IsNotExist(err) || err != nil && len(k.whole) == 0 {
		return // killed before there was a vault
	}
	must(err)
	var listed []string
	for _, i := range infos {
		ref := i.Snapshot().Ref()
		if i.State != vault.Whole {
			continue
		}
		listed = append(listed, ref)
		if int(i.Number)+latest < first && k.chance.IntN(old) > 0 {
			continue // verified before, and again in the end
		}
		f, err := vault.Find(dir, ref)
		must(err)
		if r, err := vault.Verify(context.Background(), dir, f, nil); err != nil || len(r.Findings) > 0 {
			k.t.Fatalf("%s is listed as whole: %v, %v", ref, r.Findings, err)
		}
	}
	for ref := range k.whole {
		if !slices.Contains(listed, ref) {
			k.t.Fatalf("%s was reported whole and is not listed; listed are %v", ref, listed)
		}
	}
}
