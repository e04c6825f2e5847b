package powercut

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// history is what happened on a disk, and when.
type history struct {
	whole  map[string]int // moments at which restore points were reported whole
	begun  []int          // moments at which snapshots began
	points map[string][]int
}

// TestPowerCuts lets a receiver's vault take snapshot after snapshot, cuts the
// power at each named point of the discipline and at random, and looks at what is
// left. Cuts of one kind leave all that was written, those of the other lose,
// reorder and tear what was not flushed.
func TestPowerCuts(t *testing.T) {
	snapshots, cuts, each := 10, 8, 1
	if os.Getenv("WEIR_LONG") != "" {
		snapshots, cuts, each = 30, 100, 3
	}
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			s.need(t)
			seed := uint64(time.Now().UnixNano())
			if text := os.Getenv("WEIR_SEED"); text != "" {
				seed, _ = strconv.ParseUint(text, 10, 64)
			}
			t.Logf("WEIR_SEED=%d", seed)
			dir := scratch(t)
			d, mounted, unmount := s.disk(t, dir)
			c := s.record(t, d, dir)
			o := order{Vault: filepath.Join(mounted, "vault"), Seed: seed, Snapshots: snapshots}
			h := watch(t, d, o)
			c.Take(d)
			unmount() // some file systems mind a copy of one that is mounted
			r := &cutter{t: t, system: s, cuts: c, dir: dir, order: o, history: h, chance: rand.New(rand.NewPCG(seed, 3))}
			r.run(cuts, each)
		})
	}
}

// watch runs the writer and notes the moments of what it tells.
func watch(t *testing.T, d *Disk, o order) *history {
	t.Helper()
	cmd := role(t, roleWrite, o)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &history{whole: map[string]int{}, points: map[string][]int{}}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		h.note(lines.Text(), d.Now())
		io.WriteString(in, "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the writer: %v\n%s", err, errs.String())
	}
	if len(h.whole) != o.Snapshots {
		t.Fatalf("only %d of %d restore points became whole\n%s", len(h.whole), o.Snapshots, errs.String())
	}
	return h
}

func (h *history) note(line string, now int) {
	what, name, _ := strings.Cut(line, " ")
	switch what {
	case "begin":
		h.begun = append(h.begun, now)
	case "point":
		h.points[name] = append(h.points[name], now)
	case "whole":
		if _, known := h.whole[name]; !known {
			h.whole[name] = now
		}
	}
}

// role is this program again, in another part.
func role(t *testing.T, part string, o order) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+part, orderVar+"="+string(text))
	return cmd
}

// cutter makes the cuts of one history.
type cutter struct {
	t       *testing.T
	system  system
	cuts    *Cuts
	dir     string
	order   order
	history *history
	chance  *rand.Rand
	made    int
}

// cut is one cut to be made.
type cut struct {
	at   int
	name string
	torn bool
}

func (r *cutter) run(random, each int) {
	r.t.Helper()
	var all []cut
	names := 0
	for name, moments := range r.history.points {
		names++
		for range each {
			at := moments[r.chance.IntN(len(moments))]
			all = append(all, cut{at, name, false}, cut{at, name, true})
		}
	}
	if !r.order.Heal && len(r.history.points["maps-written"]) == 0 {
		r.t.Error("no maps of partial objects were saved together")
	}
	if names < 8 {
		r.t.Fatalf("only %d named points were passed: %v", names, r.history.points)
	}
	first, last := r.history.begun[0], len(r.cuts.log)
	for i := range random {
		all = append(all, cut{first + r.chance.IntN(last-first), "random", i%2 == 1})
	}
	slices.SortFunc(all, func(a, b cut) int { return a.at - b.at })
	whole := 0
	for _, c := range all {
		whole += r.make(c)
	}
	r.t.Logf("%s: %d cuts of a history of %d writes, %d at %d named points; restore points verified after them: %d",
		r.system.name, len(all), last, 2*names*each, names, whole)
}

// make makes a cut, and returns how many restore points were held against it.
func (r *cutter) make(c cut) int {
	r.t.Helper()
	// A file and a directory of its own: the kernel may let go of those of the
	// cut before a little later than unmount says.
	r.made++
	path := filepath.Join(r.dir, fmt.Sprint("cut-", r.made))
	defer os.Remove(path)
	chance := r.chance
	if !c.torn {
		chance = nil
	}
	if err := r.cuts.Image(path, c.at, chance); err != nil {
		r.t.Fatal(err)
	}
	o := r.order
	for ref, at := range r.history.whole {
		if at <= c.at {
			o.Whole = append(o.Whole, ref)
		}
	}
	for _, at := range r.history.begun {
		if at <= c.at {
			o.Begun++
		}
	}
	mounted := filepath.Join(r.dir, fmt.Sprint("after-", r.made))
	o.Vault = filepath.Join(mounted, "vault")
	device, detach := r.system.attach(r.t, path)
	defer detach()
	var out []byte
	unmount, err := r.system.mount(device, mounted)
	if err == nil {
		defer unmount()
		out, err = r.rebooted(o).CombinedOutput()
	}
	if err != nil {
		r.t.Errorf("cut at write %d of %d (%s, torn %v): %v\n%s", c.at, len(r.cuts.log), c.name, c.torn, err, out)
		if kept := os.Getenv("WEIR_KEEP"); kept != "" {
			os.Rename(path, filepath.Join(kept, fmt.Sprintf("%s-%d", r.system.name, c.at)))
		}
	}
	return len(o.Whole)
}

// rebooted runs the checker as after a new start of the system.
func (r *cutter) rebooted(o order) *exec.Cmd {
	boot := filepath.Join(r.dir, "boot")
	if err := os.WriteFile(boot, fmt.Appendf(nil, "after a cut %d\n", r.chance.Uint64()), 0o444); err != nil {
		r.t.Fatal(err)
	}
	cmd := role(r.t, roleCheck, o)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `exec unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$0"' "$0" "$1"`, os.Args[0], boot}
	return cmd
}
