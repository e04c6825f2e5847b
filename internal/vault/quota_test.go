package vault

import (
	"crypto/ed25519"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/event"
)

// limited opens the vault anew with quotas.
func (g *store) limited(source, sender Fill) {
	g.kill()
	g.opt = func(o *Options) {
		retaining(Retention{Last: 1})(o)
		o.Signers["other"] = []ed25519.PublicKey{g.key.Public().(ed25519.PublicKey)}
		o.Quota = func(string, string) Quota { return Quota{Source: source, Sender: sender} }
	}
	g.open()
}

// from makes a shot of another sender or source.
func (g *store) from(sender, source string, number uint64, sizes ...int) *shot {
	s := g.shot(number, sizes...)
	s.Sender, s.Source = sender, source
	for i := range s.files {
		s.files[i].id[7] = sender[0] ^ source[0]
	}
	g.seal(s)
	s.ref.Object[7] = sender[0] ^ source[0]
	return s
}

func TestQuotaStopsOneSourceAlone(t *testing.T) {
	for name, c := range map[string]struct{ source, sender Fill }{
		"source": {source: Fill{Bytes: 100_000}}, "sender": {sender: Fill{Bytes: 100_000}},
		"source, objects": {source: Fill{Objects: 4}}, "sender, objects": {sender: Fill{Objects: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			g.limited(c.source, c.sender)
			first := g.from("prod", "etc", 1, 40_000, 52_000)
			g.send(first)
			if g.count(event.QuotaFull) != 0 {
				t.Fatalf("events %v", g.events())
			}
			much := g.from("prod", "etc", 2, 60_000, 5)
			g.send(much)
			g.send(much)
			if g.state(first) != Whole || g.state(much) != Partial || g.count(event.QuotaFull) != 1 || g.count(event.QuotaNear) > 1 {
				t.Fatalf("%q, %q, events %v", g.state(first), g.state(much), g.events())
			}
			neighbour, stranger := g.from("prod", "var", 1, 50_000), g.from("other", "etc", 1, 50_000)
			g.send(neighbour)
			g.send(stranger)
			if want := c.sender == (Fill{}); (g.state(neighbour) == Whole) != want || g.state(stranger) != Whole {
				t.Errorf("the neighbour is %q, the stranger %q", g.state(neighbour), g.state(stranger))
			}
			g.verify()
		})
	}
}

// TestQuotaCountsWhatIsIncomplete: a sender that never ends its objects fills its
// quota too.
func TestQuotaCountsWhatIsIncomplete(t *testing.T) {
	g := newStore(t)
	g.limited(Fill{Bytes: 1_000_000}, Fill{})
	s := g.from("prod", "etc", 1)
	chunk := make([]byte, 50_000)
	for n := range 200 {
		g.v.WriteRange(s.Snapshot, ObjectID{1, byte(n)}, 1000, chunk)
		if n == 100 {
			g.close()
			g.open()
		}
	}
	g.v.Settle(true)
	if a := g.v.account(sourceKey{"prod", "etc"}); a.arriving.Bytes > 1_000_000 || a.arriving.Bytes < 900_000 || a.arriving.Objects != a.arriving.Bytes/50_000 || g.count(event.QuotaFull) == 0 {
		t.Errorf("%+v, events %v", a, g.events())
	}
}

// TestQuotaIsGivenBack: by retention, and after a restart of any kind the sums are
// the same.
func TestQuotaIsGivenBack(t *testing.T) {
	g := newStore(t)
	g.limited(Fill{1_000_000, 100}, Fill{2_000_000, 100})
	both := func(bytes, objects int64) [2]Fill { return [2]Fill{{bytes, objects}, {bytes, objects}} }
	sum := func() [2]Fill {
		return [2]Fill{g.v.account(sourceKey{"prod", "etc"}).stored, g.v.account(sourceKey{"prod", ""}).stored}
	}
	g.send(g.from("prod", "etc", 1, 40_000, 50_000))
	g.now = g.now.Add(time.Hour)
	g.send(g.from("prod", "etc", 2, 30_000))
	if got := sum(); got != both(120_000, 3) {
		t.Fatalf("%v", got)
	}
	g.prune()
	if got := sum(); got != both(30_000, 1) {
		t.Fatalf("after a prune %v", got)
	}
	for _, end := range []func(){g.close, g.kill, func() { g.close(); removeTree(g.v.own(usageFile)) },
		func() { g.close(); removeTree(g.v.own(catalogFile)) }, func() { g.kill(); removeTree(g.v.own(catalogFile)) }} {
		end()
		g.open()
		if got := sum(); got != both(30_000, 1) {
			t.Fatalf("after a restart %v", got)
		}
	}
}

// TestQuotaCountsWhatTakesNoBytes: ends alone, and objects that are one hole, take
// inodes.
func TestQuotaCountsWhatTakesNoBytes(t *testing.T) {
	for name, holes := range map[string][][2]int64{"ends": nil, "holes": {{0, 1000}}} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			g.limited(Fill{Objects: 50}, Fill{})
			s := g.from("prod", "etc", 1)
			for n := range 200 {
				g.v.EndObject(s.Snapshot, ObjectID{1, byte(n)}, 1000, sha256.Sum256(make([]byte, 1000)), holes)
				if n == 100 {
					g.v.Settle(true)
				}
			}
			count := 0
			filepath.WalkDir(g.dir, func(path string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() && len(d.Name()) == 32 {
					count++
				}
				return err
			})
			a := g.v.account(sourceKey{"prod", "etc"})
			if used := a.stored.plus(a.arriving).Objects; used > 50 || count > 50 {
				t.Errorf("%d objects are counted, %d are there", used, count)
			}
			neighbour := g.from("other", "etc", 1, 50_000)
			if g.send(neighbour); g.state(neighbour) != Whole {
				t.Errorf("the neighbour is %q", g.state(neighbour))
			}
		})
	}
}

// TestQuotaAlarmsAreFew: a sender that sends now too much, now little, has room again
// each time, and fills no log with that.
func TestQuotaAlarmsAreFew(t *testing.T) {
	g := newStore(t)
	g.limited(Fill{Bytes: 100_000}, Fill{})
	for hour := 1; hour <= 3; hour++ {
		for n := range 20 {
			s := g.from("prod", "etc", uint64(20*hour+n), 10)
			g.v.WriteRange(s.Snapshot, ObjectID{7}, 0, make([]byte, 200_000))
			g.object(s, s.files[0])
		}
		g.v.Settle(true)
		if n := g.count(event.QuotaFull); n != hour {
			t.Fatalf("%d alarms in hour %d", n, hour)
		}
		g.now = g.now.Add(quotaAgain)
	}
}
