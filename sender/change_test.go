package sender

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"weir/protocol"
)

// on calls do once, when the nth symbol frame has left.
func (r *rig) on(n int, do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = func(*protocol.Header) {
		if n--; n == 0 {
			do()
		}
	}
}

func TestSparseFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		p := filepath.Join(dir, "sparse")
		f, err := os.Create(p)
		must(t, err)
		defer f.Close()
		for _, off := range []int64{1 << 20, 5 << 20, 5<<20 + 65536} {
			_, err := f.WriteAt(noise(uint64(off>>20), 8192), off)
			must(t, err)
		}
		must(t, f.Truncate(64<<20))
		if start, _ := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA); start != 1<<20 {
			t.Skip("the file system of the temporary directory does not tell of holes")
		}
		must(t, f.Sync())
		settle(t)
		whole, err := os.ReadFile(p)
		must(t, err)
		holes := [][2]int64{{0, 1 << 20}, {1<<20 + 8192, 4<<20 - 8192}, {5<<20 + 8192, 65536 - 8192}, {5<<20 + 65536 + 8192, 59<<20 - 65536 - 8192}}
		for pass, all := range []bool{true, true, false} {
			res, got := r.push(Job{Paths: []string{dir}, All: all})
			e := got.entries["sparse"]
			if !slices.Equal(e.Holes, holes) || e.Size != 64<<20 {
				t.Errorf("pass %d: %+v", pass, e)
			}
			if !all {
				continue
			}
			if o := got.objects[e.Object]; o.got != 3*8192 || len(o.end.Holes) != len(holes) || res.SentBytes != 3*8192 {
				t.Errorf("pass %d: %d bytes, %+v", pass, o.got, o.end)
			}
			if !bytes.Equal(r.content(e.Object), whole) {
				t.Errorf("pass %d: other content", pass)
			}
		}
	})
}

func TestMoreHolesThanAnEndHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		p := filepath.Join(dir, "sparse")
		f, err := os.Create(p)
		must(t, err)
		defer f.Close()
		most := maxHoles(small)
		for i := range most + 100 {
			_, err := f.WriteAt(noise(uint64(i), 4096), int64(i)*16384+8192)
			must(t, err)
		}
		must(t, f.Sync())
		settle(t)
		whole, err := os.ReadFile(p)
		must(t, err)
		for before := 0; before < 50000; before += 10000 { // the End finds a block more or less full
			write(t, dir, map[string][]byte{"a": noise(1, before)})
			_, got := r.push(Job{Paths: []string{dir}, All: true})
			e := got.entries["sparse"]
			if len(e.Holes) != most || !bytes.Equal(r.content(e.Object), whole) {
				t.Errorf("%d holes, want %d", len(e.Holes), most)
			}
			r.wantFullBlocks()
		}
	})
}

// wantFullBlocks checks that all blocks but the tail and its repetition have the
// parity of full ones.
func (r *rig) wantFullBlocks() {
	r.t.Helper()
	all := r.snapshotBlocks()
	for _, b := range all[:len(all)-2] {
		if b.Geometry != r.cfg.Geometry {
			r.t.Errorf("block %d is %+v", b.Block, b.Geometry)
		}
	}
}

func TestChangedAndVanished(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(dir string) error
		file    string
		problem string
	}{
		"appended":   {func(d string) error { return appendTo(d+"/b", "more") }, "b", problemChanged},
		"truncated":  {func(d string) error { return os.Truncate(d+"/b", 150000) }, "b", problemChanged},
		"emptied":    {func(d string) error { return os.Truncate(d+"/b", 0) }, "b", problemChanged},
		"rewritten":  {func(d string) error { return overwrite(d + "/b") }, "b", problemChanged},
		"removed":    {func(d string) error { return os.RemoveAll(d + "/c") }, "c", problemVanished},
		"to a link":  {func(d string) error { os.Remove(d + "/c"); return os.Symlink("a", d+"/c") }, "", ""},
		"to a fifo":  {func(d string) error { os.Remove(d + "/c"); return unix.Mkfifo(d+"/c", 0o600) }, "", ""},
		"new beside": {func(d string) error { return os.WriteFile(d+"/d", nil, 0o600) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, dir := newRig(t), t.TempDir()
				write(t, dir, map[string][]byte{"a": noise(1, 50), "b": noise(2, 900000), "c": noise(3, 50)})
				r.on(1, func() { must(t, c.change(dir)) })
				res, got := r.push(Job{Paths: []string{dir}})
				r.want(got, map[string][]byte{"a": noise(1, 50)})
				if c.file == "" {
					if res.Problems != 0 {
						t.Errorf("%+v", res)
					}
					return
				}
				e := got.entries[c.file]
				if res.Problems != 1 || e.Problem != c.problem {
					t.Errorf("%+v %+v", res, e)
				}
				if e.Object != [16]byte{} && int64(len(r.content(e.Object))) != e.Size {
					t.Errorf("%+v", e)
				}
				// The next snapshot has it whole, under another object.
				if c.problem == problemChanged {
					settle(t)
					_, next := r.push(Job{Paths: []string{dir}})
					if n := next.entries["b"]; n.Problem != "" || n.Object == e.Object && n.Size > 0 {
						t.Errorf("next: %+v", n)
					}
				}
			})
		})
	}
}

func appendTo(p, more string) error {
	f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(more)
	return err
}

// overwrite changes bytes at the end of a file and leaves its length alone.
func overwrite(p string) error {
	f, err := os.OpenFile(p, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("other"), 800000)
	return err
}

func TestSecondPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{"a": noise(1, 50), "b": noise(2, 900000), "c": {}}
		write(t, dir, files)
		_, first := r.push(Job{Paths: []string{dir}})
		res, second := r.push(Job{Paths: []string{dir}})
		if res.SentFiles != 0 || res.SentBytes != 0 || len(r.objects) != 1 || res.Bytes != 900050 {
			t.Errorf("%+v, %d objects", res, len(r.objects))
		}
		if second.header.Previous != first.record.SHA256 || second.header.Number != first.header.Number+1 {
			t.Errorf("%+v", second.header)
		}
		res, third := r.push(Job{Paths: []string{dir}, All: true})
		r.want(third, files)
		if res.SentFiles != 2 || res.SentBytes != 900050 {
			t.Errorf("%+v", res)
		}
		for p := range files {
			if a, b, c := first.entries[p], second.entries[p], third.entries[p]; a.Object != b.Object || a.Object != c.Object || a.SHA256 != b.SHA256 {
				t.Errorf("%s: %+v %+v %+v", p, a, b, c)
			}
		}
	})
}

// The state may be wrong about content: then the content goes out as another
// object, and the known one never gets a second end.
func TestOtherContentUnderTheSameStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{"a": noise(1, 100000)}
		write(t, dir, files)
		_, first := r.push(Job{Paths: []string{dir}})
		v, ok := r.cfg.State.known("src", "a")
		if !ok {
			t.Fatal("not remembered")
		}
		v.SHA256[0]++
		must(t, r.cfg.State.save("src", []sentFile{{path: "a", version: v}}))
		res, second := r.push(Job{Paths: []string{dir}, All: true})
		r.want(second, files)
		if second.entries["a"].Object == first.entries["a"].Object || r.objects[first.entries["a"].Object].end != nil || res.SentFiles != 1 {
			t.Errorf("%+v", second.entries["a"])
		}
	})
}

// A file that changes while it is sent again must not end its known object as
// something else.
func TestChangedWhileSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(1, 900000)})
		_, first := r.push(Job{Paths: []string{dir}})
		r.on(1, func() { must(t, overwrite(filepath.Join(dir, "a"))) })
		res, second := r.push(Job{Paths: []string{dir}, All: true})
		known := first.entries["a"].Object
		if second.entries["a"].Object == known || r.objects[known] == nil || r.objects[known].end != nil {
			t.Errorf("%+v", second.entries["a"])
		}
		if got := r.content(second.entries["a"].Object); res.Problems > 1 || int64(len(got)) != second.entries["a"].Size {
			t.Errorf("%+v", res)
		}
	})
}

// What is written in the tick of the clock in which a file was read leaves no
// trace in its stat, so such a version must not count as known.
func TestFileOfThisTickIsNotRemembered(t *testing.T) {
	p := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(p, []byte("x"), 0o600))
	var st unix.Stat_t
	must(t, unix.Stat(p, &st))
	v := fileVersion(&st)
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now))
	if v.ChangeTime >= now.Nano() == v.settled(now.Nano()) {
		t.Errorf("changed at %d, now %d", v.ChangeTime, now.Nano())
	}
	future := time.Now().Add(time.Hour).UnixNano()
	if (&version{ModTime: future, ChangeTime: 1}).settled(now.Nano()) != true || (&version{ChangeTime: future}).settled(now.Nano()) {
		t.Error("it is the change time that counts: nobody can set it")
	}
	settle(t)
	must(t, unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now))
	if !v.settled(now.Nano()) {
		t.Error("an old version is not settled")
	}
}

// TestOtherDeviceNumber meets a known version under another device number, as after a
// restart of the host, or in a snapshot of the file system: it is no other file where
// the file system stamps every change.
func TestOtherDeviceNumber(t *testing.T) {
	s := &snapshot{timed: timed{5: false, 6: true}}
	was := version{Size: 1, ModTime: 2, ChangeTime: 3, Inode: 4, Device: 1}
	for device, want := range map[uint64]bool{1: true, 5: false, 6: true} {
		known, v := was, was
		n := &node{}
		n.stat.Dev, v.Device = device, device
		if got := s.unchanged(n, &known, &v); got != want || got && known.Device != device {
			t.Errorf("device %d: %v, %+v", device, got, known)
		}
		known, v.ChangeTime = was, 7
		if s.unchanged(n, &known, &v) || known != was {
			t.Errorf("device %d: changed, and not seen", device)
		}
	}
}
