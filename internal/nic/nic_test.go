package nic

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
)

func TestEveryAddressHasItsCard(t *testing.T) {
	if _, err := os.Stat(classNet); err != nil {
		t.Skip("there is no sysfs here:", err)
	}
	cards, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, c := range cards {
		addrs, err := c.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			card, err := Open(p.Addr())
			if err != nil || card.Name != c.Name {
				t.Errorf("%v is at %+v, want %s: %v", p, card, c.Name, err)
				continue
			}
			if n := card.Dropped(); n > 1e6 {
				t.Errorf("%d dropped since just now", n)
			}
			card.Close()
			tried++
		}
	}
	if tried == 0 {
		t.Error("no address was tried")
	}
}

func TestNobodysAddress(t *testing.T) {
	for _, a := range []string{"192.0.2.77", "2001:db8::77", "0.0.0.0", "::"} {
		if c, err := Open(netip.MustParseAddr(a)); !errors.Is(err, ErrNone) {
			t.Errorf("%s is at %+v, %v", a, c, err)
		}
	}
	var none *Card
	if none.Dropped() != 0 {
		t.Error("no card has dropped something")
	}
	none.Close()
}

func TestDriverThatWasLoadedAnew(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	c := &Card{files: []*os.File{f}, first: 10}
	for _, step := range []struct {
		text string
		want uint64
	}{{"12\n", 2}, {"3\n", 3}, {"nonsense", 0}} {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(step.text), 0); err != nil {
			t.Fatal(err)
		}
		if got := c.Dropped(); got != step.want {
			t.Errorf("%q: %d, want %d", step.text, got, step.want)
		}
	}
	c.Close()
}
