package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/internal/event"
)

// logged is a vault whose log tells of four publications and two removals.
func logged(t *testing.T) (g *store, path string) {
	g = newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 2})
	g.open()
	g.series(4)
	g.prune()
	g.close()
	g.eventsGood()
	return g, filepath.Join(g.dir, ".weir", eventsFile)
}

func TestEveryChangeOfTheLogIsFound(t *testing.T) {
	g, path := logged(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(bytes.Lines(good))
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	cases := map[string][]byte{
		"empty":     {},
		"rubbish":   []byte("rubbish\n"),
		"two swap":  join(lines[1], lines[0], join(lines[2:]...)),
		"a repeat":  join(lines[0], lines[0], join(lines[1:]...)),
		"long line": append(slices.Clone(good), append(bytes.Repeat([]byte("x"), 2*maxEventLine), '\n')...),
	}
	for i := range lines {
		cases["line "+string(rune('1'+i))+" cut out"] = join(slices.Concat(lines[:i], lines[i+1:])...)
		cases["the end from line "+string(rune('1'+i))] = join(lines[:i]...)
	}
	for at := 0; at < len(good); at += 7 {
		bad := slices.Clone(good)
		bad[at] ^= 1 << (at % 7)
		cases["bit at "+time.Duration(at).String()] = bad
	}
	for name, text := range cases {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := VerifyEvents(g.dir, Head{}); err != nil || len(r.Findings) == 0 {
			t.Errorf("%s: nothing was found, %v", name, err)
		}
	}
}

// TestCutWithTheHeadIsFound: whoever cuts the log may take the file beside it too.
func TestCutWithTheHeadIsFound(t *testing.T) {
	g, path := logged(t)
	good, _ := os.ReadFile(path)
	r, err := VerifyEvents(g.dir, Head{})
	if err != nil {
		t.Fatal(err)
	}
	kept := r.Head
	lines := slices.Collect(bytes.Lines(good))
	os.Remove(filepath.Join(g.dir, ".weir", headFile))
	for n := range 4 { // all publications of what is there, and no more
		os.WriteFile(path, bytes.Join(lines[:n], nil), 0o644)
		if r, err := VerifyEvents(g.dir, Head{}); err != nil || len(r.Findings) == 0 {
			t.Errorf("cut to %d lines: nothing was found, %v", n, err)
		}
	}
	os.WriteFile(path, bytes.Join(lines[:len(lines)-1], nil), 0o644)
	if r, err := VerifyEvents(g.dir, kept); err != nil || len(r.Findings) == 0 {
		t.Errorf("against a head kept elsewhere: nothing was found, %v", err)
	}
	os.WriteFile(path, good, 0o644)
	again, err := ParseHead(kept.String())
	if err != nil || again != kept {
		t.Fatalf("%v, %v", again, err)
	}
	if r, err := VerifyEvents(g.dir, again); err != nil || len(r.Findings) > 0 {
		t.Errorf("the good log: %v, %v", r.Findings, err)
	}
	for _, bad := range []string{"", "7", ":", "7:", "x:" + kept.SHA256, "7:" + kept.SHA256[1:]} {
		if _, err := ParseHead(bad); err == nil {
			t.Errorf("%q is taken for a head", bad)
		}
	}
}

// TestDamagedLogDoesNotStopTheVault: it goes on, and what became of the log stays
// to be seen.
func TestDamagedLogDoesNotStopTheVault(t *testing.T) {
	for name, at := range map[string]int{"the last line": -30, "the first": 40} {
		t.Run(name, func(t *testing.T) {
			g, path := logged(t)
			text, _ := os.ReadFile(path)
			text[(at+len(text))%len(text)] = 0
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			g.open()
			s := g.shot(9, 10)
			g.send(s)
			g.close()
			r, err := VerifyEvents(g.dir, Head{})
			seen := len(r.Findings) > 0
			if err := EachEvent(g.dir, func(e Event) { seen = seen || e.Event == event.EventsDamaged }); err != nil {
				t.Fatal(err)
			}
			if err != nil || g.state(s) != Whole || !seen {
				t.Errorf("%q, %+v, %v", g.state(s), r, err)
			}
		})
	}
}

func FuzzEventLog(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2030-01-01T00:00:00Z","event":"snapshot-whole","snapshot":"a/b/2030-01-01T000000Z.000001","previous":""}` + "\n"))
	f.Add([]byte("\n\n{}\n"))
	dir := f.TempDir()
	if err := Create(dir); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(dir, ".weir", eventsFile)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyEvents(dir, Head{}); err != nil {
			t.Fatal(err)
		}
		d := realDisk()
		l, err := openEvents(path, &d)
		if err != nil {
			return // no log of ours; the vault says so
		}
		defer l.close()
		if err := l.add(Event{Event: "x"}); err != nil {
			t.Fatal(err)
		}
		last := ""
		if err := EachEvent(dir, func(e Event) { last = e.Event }); err == nil && last != "x" && len(text) < maxEventLine {
			t.Fatalf("the new event is not there, but %q", last)
		}
	})
}
