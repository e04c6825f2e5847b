package powercut

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/vault"
)

// trouble is a vault on a file system of its own, and what it says.
type trouble struct {
	t     *testing.T
	dir   string // where it is mounted
	world *world
	vault *vault.Vault
	log   bytes.Buffer
	now   time.Time
}

// newTrouble mounts a file system and opens a vault there.
func newTrouble(t *testing.T, minFree int64, mount ...string) *trouble {
	t.Helper()
	systems[0].need(t)
	g := &trouble{t: t, dir: filepath.Join(scratch(t), "mounted"), world: newWorld(5, 12), now: time.Unix(2e9, 0)}
	must(os.Mkdir(g.dir, 0o755))
	do(t, "mount", append(mount, g.dir)...)
	t.Cleanup(func() { exec.Command("umount", "-l", g.dir).Run() })
	v, err := vault.Open(g.path(), vault.Options{
		Log: zerolog.New(&g.log), MinFree: minFree, Now: func() time.Time { return g.now },
		Signers: map[string][]ed25519.PublicKey{sender: {g.world.key.Public().(ed25519.PublicKey)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.vault = v
	t.Cleanup(func() { v.Close() })
	return g
}

func (g *trouble) path() string { return filepath.Join(g.dir, "vault") }

// send gives the vault snapshots, a later pass of each if it had them before, and
// returns how many of them are listed as whole.
func (g *trouble) send(shots []*shot) int {
	for _, s := range shots {
		g.now = g.now.Add(5 * time.Minute)
		time.Sleep(1100 * time.Millisecond / time.Duration(len(shots))) // the free space is looked at each second
		g.world.send(g.vault, s, nil)
	}
	return len(g.whole())
}

// whole returns what is listed as whole, once it has verified all of it.
func (g *trouble) whole() (refs []string) {
	g.t.Helper()
	infos, err := vault.List(g.path())
	if err != nil {
		g.t.Fatal(err)
	}
	for _, i := range infos {
		if i.State != vault.Whole {
			continue
		}
		f, err := vault.Find(g.path(), i.Snapshot().Ref())
		if err != nil {
			g.t.Fatal(err)
		}
		if r, err := vault.Verify(g.t.Context(), g.path(), f, nil); err != nil || len(r.Findings) > 0 {
			g.t.Fatalf("%s is listed as whole: %v, %v", f.Ref(), r.Findings, err)
		}
		refs = append(refs, f.Ref())
	}
	return refs
}

// said counts the lines of the log, and the events, of one name.
func (g *trouble) said(name string) (lines, events int) {
	lines = strings.Count(g.log.String(), `"event":"`+name+`"`)
	data, err := os.ReadFile(filepath.Join(g.path(), ".weir", "events.jsonl"))
	must(err)
	for line := range strings.Lines(string(data)) {
		var e vault.Event
		if json.Unmarshal([]byte(line), &e) == nil && e.Event == name {
			events++
		}
	}
	return lines, events
}

// TestFullDisk fills a disk up to the reserve, without a reserve to the last
// byte, and to the last inode. Then there is room again.
func TestFullDisk(t *testing.T) {
	for name, c := range map[string]struct {
		minFree    int64
		full, room string
	}{
		"reserve":    {6 << 20, "size=16m", "remount,size=200m"},
		"no reserve": {0, "size=12m", "remount,size=200m"},
		"inodes":     {1, "size=200m,nr_inodes=420", "remount,nr_inodes=9000"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTrouble(t, c.minFree, "-t", "tmpfs", "-o", c.full, "tmpfs")
			n := g.send(g.world.shots)
			before := g.whole()
			if n == 0 || n == len(g.world.shots) {
				t.Fatalf("%d snapshots are whole on the small disk", n)
			}
			if lines, _ := g.said("disk-full"); lines == 0 || lines > len(g.world.shots) {
				t.Errorf("the log says %d times that the disk is full", lines)
			}
			do(t, "mount", "-o", c.room, g.dir)
			if n := g.send(g.world.shots); n != len(g.world.shots) {
				t.Fatalf("with room %d of %d snapshots are whole\n%s", n, len(g.world.shots), g.log.String())
			}
			for _, ref := range before {
				if !slices.Contains(g.whole(), ref) {
					t.Errorf("%s was whole and is not listed any more", ref)
				}
			}
			_, full := g.said("disk-full")
			if lines, room := g.said("disk-room"); lines == 0 || room == 0 || full == 0 {
				t.Errorf("room again: %d lines; events: %d full, %d room\n%s", lines, full, room, g.log.String())
			}
		})
	}
}

// TestQuotaOfTheFileSystem: what a file system does not let its owner have any more is
// no room, though there is space on the disk.
func TestQuotaOfTheFileSystem(t *testing.T) {
	g := newTrouble(t, 0, systems[2].onDisk(t, "300M")...)
	limit := func(size string) { do(t, "btrfs", "qgroup", "limit", size, "0/5", g.dir) }
	do(t, "btrfs", "quota", "enable", g.dir)
	do(t, "btrfs", "quota", "rescan", "-w", g.dir)
	limit("12M")
	n := g.send(g.world.shots)
	before := g.whole()
	if n == 0 || n == len(g.world.shots) {
		t.Fatalf("%d snapshots are whole within the quota\n%s", n, g.log.String())
	}
	if lines, _ := g.said("disk-full"); lines == 0 || !strings.Contains(g.log.String(), "disk quota exceeded") {
		t.Errorf("the log does not say that the quota is full:\n%s", g.log.String())
	}
	limit("none")
	if n := g.send(g.world.shots); n != len(g.world.shots) {
		t.Fatalf("with a larger quota %d of %d snapshots are whole\n%s", n, len(g.world.shots), g.log.String())
	}
	for _, ref := range before {
		if !slices.Contains(g.whole(), ref) {
			t.Errorf("%s was whole and is not listed any more", ref)
		}
	}
	if lines, room := g.said("disk-room"); lines == 0 || room == 0 {
		t.Errorf("it does not say that there is room again:\n%s", g.log.String())
	}
}

// TestReadOnlyDisk makes a file system give up in the midst of its work, as it
// does after an error of the disk: from then on it is read-only. Then the system
// is started again.
func TestReadOnlyDisk(t *testing.T) {
	systems[0].need(t)
	disk := filepath.Join(scratch(t), "disk")
	do(t, "truncate", "-s", "100M", disk)
	do(t, "mkfs.ext4", "-q", "-F", disk)
	g := newTrouble(t, 0, "-t", "ext4", "-o", "loop", disk)
	if n := g.send(g.world.shots[:4]); n != 4 {
		t.Fatalf("%d of 4 are whole", n)
	}
	do(t, "mount", "-o", "remount,abort", g.dir)
	if n := g.send(g.world.shots[4:8]); n != 4 {
		t.Fatalf("%d are whole on a disk that cannot be written", n)
	}
	if lines, _ := g.said("disk-error"); lines == 0 {
		t.Errorf("the log does not say it:\n%s", g.log.String())
	}
	g.vault.Close()
	do(t, "umount", g.dir)
	// As another device: what another test runs in a namespace of its own may hold a
	// copy of the old mount, which stays read-only.
	do(t, "cp", disk, disk+"-again")
	do(t, "mount", "-t", "ext4", "-o", "loop", disk+"-again", g.dir)
	g.vault = g.world.open(g.path(), vault.Options{})
	t.Cleanup(func() { g.vault.Close() })
	if n := g.send(g.world.shots); n != len(g.world.shots) {
		t.Fatalf("with the disk back %d of %d are whole\n%s", n, len(g.world.shots), g.log.String())
	}
}
