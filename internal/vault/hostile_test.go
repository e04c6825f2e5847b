package vault

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// entryAttributes is what every entry of a raw manifest has.
const entryAttributes = `"mode":"0644","uid":0,"gid":0,"mtime":"2026-11-22T20:15:00.000000000Z"`

func rawFile(path string) string {
	return fmt.Sprintf(`{"path":%s,"kind":"file","size":0,"sha256":"%x",%s}`, path, sha256.Sum256(nil), entryAttributes)
}

func rawDir(path string) string {
	return fmt.Sprintf(`{"path":%s,"kind":"dir",%s}`, path, entryAttributes)
}

func rawLink(path, target string) string {
	return fmt.Sprintf(`{"path":%s,"kind":"symlink",%s,"target":%q}`, path, entryAttributes, target)
}

// raw makes a shot of lines that no writer checked, signed with the good key.
func (g *store) raw(number uint64, lines ...string) *shot {
	g.t.Helper()
	s := g.shot(number)
	head, _, _ := bytes.Cut(s.manifest, []byte("\n"))
	files := 0
	for _, l := range lines {
		if strings.Contains(l, `"kind":"file"`) || strings.Contains(l, `"kind":"hardlink"`) {
			files++
		}
	}
	text := string(head) + "\n" + strings.Join(lines, "\n") + "\n" +
		fmt.Sprintf(`{"end":true,"entries":%d,"files":%d,"bytes":0,"problems":0}`, len(lines), files) + "\n"
	g.signText(s, text)
	return s
}

func (g *store) signText(s *shot, text string) {
	// The reader's own digest is not to be had of a text that it refuses.
	g.signed(s, []byte(text), manifest.Sign(g.key, sha512.Sum512([]byte(text))))
}

// count counts the events of a name.
func (g *store) count(name string) (n int) {
	g.t.Helper()
	for _, e := range g.events() {
		if e == name {
			n++
		}
	}
	return n
}

// TestHostileManifests gives the vault manifests that are signed with the good
// key and break every rule of the form. Each is refused by name; what is stored
// stays as it is, and nothing appears anywhere else.
func TestHostileManifests(t *testing.T) {
	long := strings.Repeat("n", 256)
	for name, lines := range map[string][]string{
		"dot dot":            {rawFile(`"../../../etc/cron.d/evil"`)},
		"dot dot inside":     {rawDir(`"a"`), rawFile(`"a/../../evil"`)},
		"dot":                {rawFile(`"./evil"`)},
		"absolute":           {rawFile(`"/etc/cron.d/evil"`)},
		"NUL":                {rawFile(`"evil\u0000.txt"`)},
		"empty":              {rawFile(`""`)},
		"empty name inside":  {rawFile(`"a//evil"`)},
		"slash at the end":   {rawFile(`"evil/"`)},
		"long name":          {rawFile(`"` + long + `"`)},
		"long path":          {rawFile(`"` + strings.Repeat("a/", 33000) + `f"`)},
		"twice":              {rawFile(`"a"`), rawFile(`"a"`)},
		"out of order":       {rawFile(`"b"`), rawFile(`"a"`)},
		"below a symlink":    {rawLink(`"a"`, "/etc"), rawFile(`"a/passwd"`)},
		"below a file":       {rawFile(`"a"`), rawFile(`"a/b"`)},
		"size 2^63":          {strings.Replace(rawFile(`"a"`), `"size":0`, `"size":9223372036854775808`, 1)},
		"size 2^62+1":        {strings.Replace(rawFile(`"a"`), `"size":0`, `"size":4611686018427387905`, 1)},
		"size -1":            {strings.Replace(rawFile(`"a"`), `"size":0`, `"size":-1`, 1)},
		"content of nothing": {strings.Replace(rawFile(`"a"`), `"size":0`, `"size":5`, 1)},
		"year 10000":         {strings.Replace(rawFile(`"a"`), `2026`, `10000`, 1)},
		"year -1":            {strings.Replace(rawFile(`"a"`), `2026`, `-001`, 1)},
		"a device":           {strings.Replace(rawFile(`"a"`), `"file"`, `"device"`, 1)},
		"mode 010000":        {strings.Replace(rawFile(`"a"`), `0644`, `10000`, 1)},
		"uid 2^32":           {strings.Replace(rawFile(`"a"`), `"uid":0`, `"uid":4294967296`, 1)},
		"hard link to later": {`{"path":"a","kind":"hardlink","target":"b"}`, rawFile(`"b"`)},
		"hard link to self":  {`{"path":"a","kind":"hardlink","target":"a"}`},
		"hard link above":    {rawDir(`"a"`), `{"path":"a/b","kind":"hardlink","target":"a"}`},
		"hard link away":     {`{"path":"b","kind":"hardlink","target":"../../../etc/passwd"}`},
		"a second field":     {strings.Replace(rawFile(`"a"`), `"size":0`, `"size":0,"size":0`, 1)},
		"white space":        {strings.Replace(rawFile(`"a"`), `,"kind"`, `, "kind"`, 1)},
		"other escapes":      {rawFile(`"\u0061"`)},
		"no JSON":            {"rm -rf /"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStore(t)
			first := g.shot(1, 100, 5000)
			g.send(first)
			before := snapshotTree(t, filepath.Join(g.dir, "prod"))
			evil := g.raw(2, lines...)
			g.send(evil)
			if g.state(evil) != Partial || g.count(event.ManifestRefused) == 0 {
				t.Errorf("it is %q, events %v", g.state(evil), g.events())
			}
			if after := snapshotTree(t, filepath.Join(g.dir, "prod")); !slices.Equal(before, after) {
				t.Errorf("what is stored changed:\n%v\n%v", before, after)
			}
			good := g.shot(3, 200)
			g.send(good)
			if g.state(good) != Whole {
				t.Errorf("the next good snapshot is %q", g.state(good))
			}
			g.verify()
		})
	}
}

// TestStrangeButAllowed publishes what a hostile sender may well list: it harms
// nothing in the vault.
func TestStrangeButAllowed(t *testing.T) {
	hard := func(path, target string) string {
		return fmt.Sprintf(`{"path":%q,"kind":"hardlink","target":%q}`, path, target)
	}
	for name, lines := range map[string][]string{
		"clashing case":           {rawFile(`"README"`), rawFile(`"Readme"`), rawFile(`"readme"`)},
		"symlinks out":            {rawLink(`"a"`, "/etc"), rawLink(`"b"`, "../../../.weir"), rawLink(`"c"`, "c")},
		"hard link to nothing":    {rawFile(`"b"`), hard("c", "a")},
		"hard link to a dir":      {rawDir(`"a"`), hard("b", "a")},
		"hard link to a symlink":  {rawLink(`"a"`, "/etc/passwd"), hard("b", "a")},
		"hard link to hard link":  {rawFile(`"a"`), hard("b", "a"), hard("c", "b")},
		"the vault's own names":   {rawFile(`".weir"`), rawDir(`"data"`), rawFile(`"manifest.jsonl"`), rawFile(`"manifest.sig"`)},
		"newlines and escapes":    {rawFile(`"\u001b[2Jx\n0000  data/y"`)},
		"setuid for the world":    {strings.Replace(rawFile(`"a"`), `0644`, `6777`, 1)},
		"times at the ends":       {strings.Replace(rawFile(`"a"`), `2026`, `0000`, 1), strings.Replace(rawFile(`"b"`), `2026`, `9999`, 1)},
		"a dangerous attribute":   {strings.Replace(rawFile(`"a"`), `}`, `,"xattrs":{"security.capability":"AQAAAg=="}}`, 1)},
		"1,500 deep":              {rawFile(`"` + strings.Repeat("a/", 1500) + `f"`)},
		"20,000 in one directory": crowd(20000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStore(t)
			s := g.raw(1, lines...)
			g.send(s)
			if g.state(s) != Whole {
				t.Fatalf("it is %q", g.state(s))
			}
			g.verify()
			point := filepath.Join(g.dir, "prod", "etc", s.Name())
			entries, err := os.ReadDir(point)
			if err != nil || len(entries) != 4 {
				t.Errorf("the restore point holds %v, %v", entries, err)
			}
			if err := removeAll(point); err != nil {
				t.Errorf("it cannot be removed: %v", err)
			}
		})
	}
}

func crowd(n int) (lines []string) {
	for i := range n {
		lines = append(lines, rawFile(fmt.Sprintf(`"f%07d"`, i)))
	}
	return lines
}

// TestClearedInSpiteOfDepth holds that the staging area can be cleared of a tree
// that was cut short: otherwise nothing would ever be published again.
func TestClearedInSpiteOfDepth(t *testing.T) {
	g := newStore(t)
	f := &faulty{left: 1 << 30, err: unix.EIO}
	g.kill()
	g.disk = f.disk()
	g.open()
	deep := g.raw(1, rawFile(`"`+strings.Repeat("a/", 3000)+`f"`))
	g.v.disk.point = func(name string) {
		if name == "built" {
			f.broken = true
		}
	}
	g.send(deep)
	if g.state(deep) != Partial {
		t.Fatalf("with a broken disk it is %q", g.state(deep))
	}
	f.broken, g.v.disk.point = false, func(string) {}
	next := g.shot(2, 100)
	g.send(next)
	if g.state(next) != Whole {
		t.Errorf("the next one is %q", g.state(next))
	}
	g.verify()
}
