package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestRangesInAnyOrder(t *testing.T) {
	for seed := range uint64(30) {
		g := newStore(t)
		rng := rand.New(rand.NewPCG(seed, 3))
		s := g.shot(1, 500000)
		f := s.files[0]
		var pieces [][2]int
		for at := 0; at < len(f.content); {
			n := min(1+rng.IntN(90000), len(f.content)-at)
			pieces = append(pieces, [2]int{at, at + n}, [2]int{max(0, at-rng.IntN(5000)), at + n})
			at += n
		}
		rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		for i, p := range pieces {
			if i == len(pieces)/3 {
				g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
			}
			if i == len(pieces)/2 {
				g.v.Settle(true)
				if rng.IntN(2) == 0 {
					g.close()
				} else {
					g.kill()
				}
				g.open()
			}
			if err := g.v.WriteRange(s.Snapshot, f.id, int64(p[0]), f.content[p[0]:p[1]]); err != nil {
				t.Fatal(err)
			}
		}
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("seed %d: it is %q", seed, g.state(s))
		}
		g.verify()
		g.close()
	}
}

func TestHolesAreNotWaitedFor(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 300000)
	f := &s.files[0]
	clear(f.content[100000:250000])
	clear(f.content[290000:])
	g.seal(s)
	holes := [][2]int64{{100000, 150000}, {290000, 10000}}
	g.v.WriteRange(s.Snapshot, f.id, 0, f.content[:100000])
	g.v.WriteRange(s.Snapshot, f.id, 250000, f.content[250000:290000])
	if err := g.v.EndObject(s.Snapshot, f.id, 300000, sha256.Sum256(f.content), holes); err != nil {
		t.Fatal(err)
	}
	g.finish(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.verify()
}

func TestContradictionsAreRefused(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 1000, 2<<20)
	sum := sha256.Sum256(s.files[1].content)
	id := s.files[1].id
	g.v.WriteRange(s.Snapshot, id, 0, s.files[1].content[:1000])
	for name, err := range map[string]error{
		"negative offset":   g.v.WriteRange(s.Snapshot, id, -1, []byte("x")),
		"past any limit":    g.v.WriteRange(s.Snapshot, id, MaxObject-1, []byte("xy")),
		"size zero":         g.v.EndObject(s.Snapshot, id, 0, sum, nil),
		"size 2^62":         g.v.EndObject(s.Snapshot, id, MaxObject, sum, nil),
		"a hole past it":    g.v.EndObject(s.Snapshot, id, 10, sum, [][2]int64{{5, 6}}),
		"source with ..":    g.v.Touch(Snapshot{"prod", "..", 1, s.Taken}),
		"source weir":       g.v.Touch(Snapshot{"prod", "weir", 1, s.Taken}),
		"sender with slash": g.v.Touch(Snapshot{"a/b", "etc", 1, s.Taken}),
		"number zero":       g.v.Touch(Snapshot{"prod", "etc", 0, s.Taken}),
		"year 292277026596": g.v.Touch(Snapshot{"prod", "etc", 1, time.Unix(1<<62, 0)}),
		"year 1677":         g.v.Touch(Snapshot{"prod", "etc", 1, time.Unix(0, -1<<63)}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := g.v.EndObject(s.Snapshot, id, 2<<20, sum, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.v.EndObject(s.Snapshot, id, 2<<20, Hash{1}, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("another end: %v", err)
	}
	if err := g.v.WriteRange(s.Snapshot, id, 2<<20, []byte("x")); !errors.Is(err, ErrConflict) {
		t.Errorf("past the end: %v", err)
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("after all that it is %q", g.state(s))
	}
	g.verify()
}

func TestWrongHashIsDroppedAndHealed(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 5000, 2<<20)
	for _, f := range s.files {
		bad := bytes.Clone(f.content)
		bad[100] ^= 1
		g.v.WriteRange(s.Snapshot, f.id, 0, bad)
		g.v.EndObject(s.Snapshot, f.id, int64(len(bad)), sha256.Sum256(f.content), nil)
	}
	g.finish(s)
	if g.state(s) != Partial {
		t.Fatalf("with wrong content it is %q", g.state(s))
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("after a second pass it is %q", g.state(s))
	}
	g.verify()
}

func TestMissingRangesAreExact(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 3<<20)
	f := s.files[1]
	g.v.WriteRange(s.Snapshot, f.id, 4096, f.content[4096:1<<20])
	g.v.WriteRange(s.Snapshot, f.id, 2<<20, f.content[2<<20:3<<20-1])
	g.finish(s)
	found, err := Find(g.dir, "prod/etc@1")
	if err != nil {
		t.Fatal(err)
	}
	if found.MissingFiles != 2 || found.MissingBytes != 100+4096+1<<20+1 || found.Files != 2 {
		t.Errorf("found %+v", found.Info)
	}
	var got []MissingFile
	for m, err := range Missing(g.dir, found) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	want := [][2]int64{{0, 4096}, {1 << 20, 1 << 20}, {3<<20 - 1, 1}}
	if len(got) != 2 || !slices.Equal(got[1].Ranges, want) || !slices.Equal(got[0].Ranges, [][2]int64{{0, 100}}) {
		t.Errorf("missing %+v", got)
	}
	if _, err := Find(g.dir, "prod/etc/latest"); !errors.Is(err, ErrNotFound) {
		t.Errorf("latest of nothing whole: %v", err)
	}
}
