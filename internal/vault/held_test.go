package vault

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noise makes files of which nothing is as it was.
func noise(i int, text []byte) []byte { return content1(len(text), 100+byte(i)) }

// TestSuspiciousStaysUntilAccepted: what nobody has looked at yet is not removed
// by a later one, after which nobody could accept it any more and everything older
// was held for ever.
func TestSuspiciousStaysUntilAccepted(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = func(o *Options) {
		o.Retention = func(string, string) Retention { return Retention{Last: 1} }
		o.Now = func() time.Time { g.now = g.now.Add(time.Millisecond); return g.now } // a publication takes time
	}
	g.open()
	g.office(1, asItWas)
	g.office(2, asItWas)
	bad := g.office(3, noise)
	if next := g.office(4, noise); g.suspicious(bad) == "" || g.suspicious(next) != "" {
		t.Fatalf("suspicious: %q, %q", g.suspicious(bad), g.suspicious(next))
	}
	g.prune()
	if n := g.kept(); g.state(bad) != Whole || n != 4 {
		t.Fatalf("the suspicious one is %q, %d are kept", g.state(bad), n)
	}
	if _, err := acceptAction(g.v, Request{Snapshot: bad.Ref()}); err != nil {
		t.Fatal(err)
	}
	g.prune()
	if all, err := List(g.dir); err != nil || len(all) != 1 {
		t.Errorf("after it was accepted: %d are left, %v", len(all), err)
	}
}

// TestDroppedHoldsNothing: a snapshot that was found suspicious and could not be
// published leaves no mark when it is dropped.
func TestDroppedHoldsNothing(t *testing.T) {
	g := newStore(t)
	g.office(1, asItWas)
	g.office(2, asItWas)
	rename := g.v.disk.rename
	g.v.disk.rename = func(from, to string) error {
		if strings.HasPrefix(to, filepath.Join(g.dir, "prod")) {
			return unix.EIO
		}
		return rename(from, to)
	}
	s := g.shot(3)
	for i := range 40 {
		s.files = append(s.files, file{path: string(rune('a' + i)), content: content1(3000, byte(i)), id: ObjectID{3, byte(i), 1}})
	}
	g.seal(s)
	g.send(s)
	g.v.disk.rename = rename
	if g.state(s) != Partial || len(suspicions(g.v.layout, norm(s.Snapshot))) == 0 {
		t.Fatalf("it is %q and not suspicious", g.state(s))
	}
	if _, err := dropAction(g.v, Request{Snapshot: s.Ref()}); err != nil {
		t.Fatal(err)
	}
	if n := g.kept(); n != 1 {
		t.Errorf("%d restore points are kept for one that nobody can accept", n)
	}
	if _, err := acceptAction(g.v, Request{Snapshot: s.Ref()}); !errors.Is(err, ErrNotSuspicious) {
		t.Errorf("accepting it: %v", err)
	}
}
