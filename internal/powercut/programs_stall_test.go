package powercut

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a stall is held to.
const (
	stallMemory = 64 << 20  // `memory` of the receiver, in bytes
	stallMost   = 200 << 20 // resident, in bytes: blocks, the socket's thread, the program itself
)

// TestProgramsStalledDisk stalls the disk under the real weir-recv for longer than its
// memory lasts. The memory stays within its limit, the loss is laid to the disk, not
// to the link, with a rate that the disk can take, and when the disk works again all
// becomes whole.
func TestProgramsStalledDisk(t *testing.T) {
	if os.Getenv("WEIR_LONG") == "" {
		t.Skip("it takes a minute; WEIR_LONG=1 runs it")
	}
	systems[0].need(t)
	t.Parallel()
	const stall = 30 * time.Second
	dir := scratch(t)
	d, mounted, _ := systems[0].disk(t, dir)
	h := newHost(t, mounted, 1, `memory = "512MiB"`, `memory = "64MiB"`, `buffer = "64MiB"`, `buffer = "1MiB"`)
	r, err := h.begin(nil, nil)
	if err == nil {
		err = r.ready()
	}
	if err != nil {
		t.Fatal(err)
	}
	work, rng := tempDir(t), rand.New(rand.NewPCG(1, 10))
	small := filepath.Join(work, "small")
	if err := fill(filepath.Join(small, "a"), 100_000, rng); err != nil {
		t.Fatal(err)
	}
	if err := h.push(grows, small); err != nil {
		t.Fatal(err)
	}
	before := r.rss(t, "VmHWM")

	large := filepath.Join(work, "large")
	for i := range 6 {
		if err := fill(filepath.Join(large, fmt.Sprint(i)), 20<<20, rng); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.push("large", large); err != nil { // the receiver learns what the disk can take
		t.Fatal(err)
	}
	goOn := d.Stall()
	ended := time.AfterFunc(stall, goOn)
	for begun := time.Now(); time.Since(begun) < stall-2*time.Second; {
		if err := h.push("large", large); err != nil {
			t.Fatal(err)
		}
	}
	peak := r.rss(t, "VmHWM")
	time.Sleep(3 * time.Second)
	ended.Stop()
	if peak > stallMost {
		t.Errorf("the receiver took %d MiB, of them %d MiB before the stall; its memory is %d MiB", peak>>20, before>>20, stallMemory>>20)
	}
	log := r.log()
	blamed := regexp.MustCompile(`"event":"memory-full","frames":(\d+),[^\n]*vault's disk is slower than the link[^\n]*`).FindAllStringSubmatch(log, -1)
	if len(blamed) == 0 {
		t.Fatalf("the log does not lay the loss to the disk:\n%s", log)
	}
	if !strings.Contains(log, "look after the disk") || !regexp.MustCompile(`set rate = \\"\d+Mbit\\" on the sender`).MatchString(log) {
		t.Errorf("it names no rate that the disk takes: %s", blamed[0][0])
	}
	disk, link := h.lossByCause(t)
	for end := time.Now().Add(patience); disk == 0 && time.Now().Before(end); disk, link = h.lossByCause(t) {
		time.Sleep(200 * time.Millisecond) // the report lies on that disk
	}
	if disk == 0 || link > 0 || strings.Contains(r.log(), `"event":"link-margin"`) {
		t.Errorf("the report lays %d frames to the disk, %d to the link", disk, link)
	}
	t.Logf("stalled for %v: VmHWM %d MiB (before: %d), %s frames laid to the disk in the first line: %s",
		stall, peak>>20, before>>20, blamed[0][1], blamed[len(blamed)-1][0])
	if err := h.push("large", large); err != nil {
		t.Fatal(err)
	}
	whole := func() bool {
		all, err := h.list()
		return err == nil && len(all) > 0 && newest(all, "large").State == "whole"
	}
	for n := 0; !whole(); n++ {
		if n == rounds {
			t.Fatalf("with the disk back it does not become whole:\n%s", r.log())
		}
		time.Sleep(roundEvery)
		if err := h.resend(); err != nil { // a busy machine loses some again
			t.Fatal(err)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := h.verifyWhole(nil, 100); err != nil {
		t.Error(err)
	}
}

func newest(all []listed, source string) (last listed) {
	for _, l := range all {
		if l.Source == source && l.Name > last.Name {
			last = l
		}
	}
	return last
}

// rss reads a line of /proc/PID/status, in bytes.
func (r *receiver) rss(t *testing.T, what string) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	t.Fatalf("no %s in %s", what, data)
	return 0
}

// lossByCause is how many frames status.json lays to the disk, which had no room for
// them, and to the link.
func (h *host) lossByCause(t *testing.T) (disk, link uint64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.vault, ".weir", "status", "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Receiver struct{ Dropped map[string]uint64 }
		Senders  []struct {
			Day struct {
				Link uint64 `json:"lost_link"`
			}
		}
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	for _, sender := range s.Senders {
		link += sender.Day.Link
	}
	return s.Receiver.Dropped["memory"], link
}
