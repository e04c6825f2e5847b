package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fault is something that goes wrong with the disk of a vault while weir-recv runs.
type fault struct {
	name  string
	errno syscall.Errno
	ops   []Op
	says  string // the event that tells of it
	room  bool   // it says when there is room again
}

var faults = []fault{
	{name: "EIO on write", errno: syscall.EIO, ops: []Op{Write}, says: "disk-error"},
	{name: "EIO on read", errno: syscall.EIO, ops: []Op{Read}, says: "disk-error"},
	{name: "EIO on fsync", errno: syscall.EIO, ops: []Op{Sync}, says: "disk-error"},
	{name: "EIO on rename", errno: syscall.EIO, ops: []Op{Rename}, says: "disk-error"},
	{name: "ENOSPC", errno: syscall.ENOSPC, ops: []Op{Write, Make}, says: "disk-full", room: true},
	{name: "EDQUOT", errno: syscall.EDQUOT, ops: []Op{Write, Make}, says: "disk-full", room: true},
	{name: "read-only", errno: syscall.EROFS, ops: []Op{Write, Rename, Make, Remove}, says: "disk-error"},
}

// TestProgramsFaults makes the disk fail under the real weir-recv while the real
// weir-send pushes. It says so and goes on, what was whole stays so, and when the
// fault is gone all becomes whole without a new start.
func TestProgramsFaults(t *testing.T) {
	t.Parallel()
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			shortOf(t, 2, i, len(faults))
			systems[0].need(t)
			t.Parallel()
			dir := tempDir(t)
			mounted, behind := filepath.Join(dir, "mounted"), filepath.Join(dir, "behind")
			for _, d := range []string{mounted, behind} {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			served, err := ServeFaulty(mounted, behind)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closed(t, served) })
			s := &suffering{t: t, fault: f, served: served, host: newHost(t, mounted, 1), work: tempDir(t), rng: rand.New(rand.NewPCG(uint64(i), 9))}
			s.behind = filepath.Join(behind, "vault")
			s.run()
		})
	}
}

// suffering is a host whose disk fails.
type suffering struct {
	t      *testing.T
	fault  fault
	served *Faulty
	host   *host
	behind string // its vault, past the faults
	work   string
	rng    *rand.Rand
	n      int
	recv   *receiver
}

func (s *suffering) push() {
	s.t.Helper()
	err := grow(s.work, s.rng, s.n)
	if err == nil {
		err = fill(filepath.Join(s.work, fmt.Sprint("large", s.n)), 3<<20, s.rng)
	}
	if err == nil {
		err = s.host.push(grows, s.work, "--changed")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.n++
}

func (s *suffering) whole() (refs []string) {
	s.t.Helper()
	all, err := s.past().list()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range all {
		if l.State == "whole" {
			refs = append(refs, l.ref())
		}
	}
	return refs
}

// past is the host as it is seen past the faults.
func (s *suffering) past() *host {
	h := *s.host
	h.vault = s.behind
	return &h
}

func (s *suffering) wait(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		select {
		case <-s.recv.done:
			s.t.Fatalf("weir-recv ended before %s:\n%s", what, s.recv.log())
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s:\n%s", what, s.recv.log())
		}
	}
}

func (s *suffering) says(event string) bool {
	return strings.Contains(s.recv.log(), fmt.Sprintf("%q:%q", "event", event))
}

func (s *suffering) run() {
	t := s.t
	var err error
	if s.recv, err = s.host.begin(nil, nil); err == nil {
		err = s.recv.ready()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.push()
	s.wait("the first restore point", func() bool { return len(s.whole()) == 1 })
	before := s.whole()

	s.served.Fail(s.fault.errno, s.fault.ops...)
	s.push()
	s.wait("the word "+s.fault.says, func() bool { return s.says(s.fault.says) })
	time.Sleep(3 * time.Second) // it goes on trying
	if now := s.whole(); !slices.Equal(now, before) {
		t.Errorf("while the disk fails %v are listed as whole, before it %v", now, before)
	}
	if err := s.past().verifyWhole(before, 10); err != nil {
		t.Errorf("while the disk fails: %v", err)
	}
	s.served.Fail(0, Read, Write, Sync, Rename, Make, Remove)

	s.push()
	if err := s.host.untilAll(3); err != nil {
		t.Fatalf("with the fault gone: %v\n%s", err, s.recv.log())
	}
	if s.fault.room && !s.says("disk-room") {
		t.Errorf("it does not say that there is room again:\n%s", s.recv.log())
	}
	if err := s.recv.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.host.verifyWhole(before, 10); err != nil {
		t.Errorf("in the end: %v", err)
	}
	if err := s.host.nothingLeft(); err != nil {
		t.Error(err)
	}
}

// untilAll types repair codes until n restore points of the source that grows are
// there and whole.
func (h *host) untilAll(n int) error {
	var all []listed
	for range rounds {
		for end := time.Now().Add(roundEvery); time.Now().Before(end); time.Sleep(150 * time.Millisecond) {
			var err error
			if all, err = h.list(); err != nil {
				return err
			}
			if len(all) == n && !slices.ContainsFunc(all, func(l listed) bool { return l.State != "whole" }) {
				return nil
			}
		}
		if err := h.resend(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d restore points should be whole: %v", n, all)
}
