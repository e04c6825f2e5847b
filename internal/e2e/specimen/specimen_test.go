package specimen

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCompareSeesDifferences damages a copy in one way at a time: a comparison
// that finds nothing would let every other test pass.
func TestCompareSeesDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		damage string
		says   string
	}{
		"nothing":    {"true", ""},
		"content":    {"printf x | dd of=medium/00.bin conv=notrunc bs=1 seek=300000 status=none && touch -r $SRC/medium/00.bin medium/00.bin", "content differs"},
		"length":     {"printf x >>first\\ name && touch -r $SRC/first\\ name first\\ name", "5000 bytes became 5001"},
		"mode":       {"chmod 640 executable", "mode"},
		"time":       {"touch executable", "time"},
		"dir's time": {"touch 'empty directory'", "time"},
		"link":       {"rm link && ln -s large.bim link && touch -h -r $SRC/link link", `became "large.bim"`},
		"hard link":  {"cp -p 'second name' x && mv x 'second name' && touch -r $SRC .", "hard link"},
		"hole":       {"cp -p --sparse=never sparse x && mv x sparse", "holes"},
		"missing":    {"rm names/-rf && touch -r $SRC/names names", "missing"},
		"extra":      {"mkdir more", "not in the original"},
		"type":       {"rm setuid && mkdir setuid", "mode"},
		"attribute":  {"setfattr -x user.weir attributed", "extended attributes"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath("setfattr"); err != nil && name == "attribute" {
				t.Skip("setfattr is not on this machine")
			}
			dir := t.TempDir()
			src, copied := filepath.Join(dir, "src"), filepath.Join(dir, "copied")
			if err := Make(src, Size{Large: 1000, Mediums: 1, MediumLength: 400e3, Smalls: 5}); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-c", `cp -a --sparse=always "$SRC" "$DST" && cd "$DST" && `+c.damage)
			cmd.Env = append(os.Environ(), "SRC="+src, "DST="+copied)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n, err := Compare(src, copied)
			if c.says == "" && (err != nil || n < 100) {
				t.Fatalf("%d entries, %v", n, err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("wanted %q, got %v", c.says, err)
			}
		})
	}
}

func TestSameSeedSameTree(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{a, b} {
		if err := Make(d, Size{Seed: 3, Large: 1000, Smalls: 60}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"large.bin", "small/9/59.txt", "names/日本語"} {
		if err := content(filepath.Join(a, name), filepath.Join(b, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	info, err := os.Lstat(filepath.Join(a, "private"))
	if err != nil || info.ModTime().UnixNano() != time.Date(1969, 7, 20, 20, 17, 40, 1, time.UTC).UnixNano() {
		t.Errorf("the time is %v, %v", info.ModTime(), err)
	}
}
