package config

import (
	"bytes"
	"encoding"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/protocol"
)

// FuzzUnits: a value that is taken and written comes back as it was.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"900Mbit", "64MiB", "1h30m", "10%", "5%", "0.1GiB", "1e300kbit", "-1B", " 1 B", "9223372036854775807B", "NaN%"} {
		f.Add([]byte(s))
	}
	type unit interface {
		encoding.TextUnmarshaler
		encoding.TextMarshaler
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, pair := range [][2]unit{
			{new(Rate), new(Rate)}, {new(Size), new(Size)}, {new(Duration), new(Duration)},
			{new(Percent), new(Percent)}, {new(Space), new(Space)},
		} {
			if pair[0].UnmarshalText(text) != nil {
				continue
			}
			once, _ := pair[0].MarshalText()
			if err := pair[1].UnmarshalText(once); err != nil {
				t.Errorf("%T: %q was taken and is written %q, which is refused: %v", pair[0], text, once, err)
				continue
			}
			if twice, _ := pair[1].MarshalText(); !bytes.Equal(once, twice) {
				t.Errorf("%T: %q is written %q, and that %q", pair[0], text, once, twice)
			}
		}
	})
}

// FuzzAppendSender: a sender that is added to any good configuration leaves every
// setting and every other sender as they were.
func FuzzAppendSender(f *testing.F) {
	c := NewReceiver("/etc/weir/receiver.toml")
	c.Vault = "/srv/vault"
	c.Listen.UnmarshalText([]byte("10.77.0.2:4600"))
	f.Add(c.Render())
	f.Add([]byte("vault='/v'\nlisten='1.2.3.4:5'#"))
	f.Add([]byte("vault='/v'\nlisten='1.2.3.4:5'\nsender=[]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before, err := ParseReceiver("/x", data)
		if err != nil || len(before.Senders) >= MaxSenders {
			return
		}
		s := TrustedSender{Name: "added", Key: senderText(9)}
		if known, err := before.trusts(s, false); known || err != nil {
			return
		}
		after, err := ParseReceiver("/x", appendTable(bytes.Clone(data), "sender", s))
		if err != nil {
			return // AddSender refuses it too and leaves the file alone
		}
		if n := len(after.Senders); n != len(before.Senders)+1 || after.Senders[n-1].Name != "added" {
			t.Errorf("senders %+v, then %+v", before.Senders, after.Senders)
		}
		if after.Vault != before.Vault || after.Listen != before.Listen || after.Memory != before.Memory {
			t.Errorf("%+v became %+v", before, after)
		}
	})
}

// FuzzLanes: lanes that are taken, on either side, are of one kind, apart from each
// other, no more than there can be, and name no path; the first is what a host with
// one lane has.
func FuzzLanes(f *testing.F) {
	for _, text := range []string{
		"listen='10.77.0.2:4600'",
		"[[lane]]\nlisten='10.77.0.2:4600'\ninterface='eth1'\n[[lane]]\nlisten='10.78.0.2:4600'",
		"[[lane]]\nlisten='[fd00::2]:4600'\n[[lane]]\nlisten='[fd00::3%eth0]:1'",
		"lane=[{listen='1.2.3.4:5'},{listen='[::ffff:1.2.3.4]:5',interface='a/b'}]",
		"[[lane]]\nlisten='1.2.3.4:5'\n[[lane]]\nlisten='1.2.3.4:5'", "[[lane]]\nlisten='1.2.3.4:5'\n[[lane]]\nlisten='[::1]:5'",
		strings.Repeat("[[lane]]\nlisten='1.2.3.4:5'\n", 9), "lane=[{}]", "lane=3", "[lane]\nlisten='1.2.3.4:5'", "listen=''\n[[lane]]", "[[lane]]\nlisten='1.2.3.4:0'\nmore=1",
	} {
		f.Add(text)
	}
	key := receiverText(f)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReceiver("/x/r.toml", []byte("vault='/v'\n"+text))
		if err == nil {
			soundLanes(t, r.Lanes, r.Listen)
		}
		head := "name='prod'\nrate='1Gbit'\nreceiver='" + key + "'\n"
		s, err := ParseSender("/x/s.toml", []byte(head+strings.ReplaceAll(text, "listen", "to")))
		if err == nil {
			soundLanes(t, s.Lanes, s.To)
		}
	})
}

func soundLanes(t *testing.T, lanes []Lane, first netip.AddrPort) {
	if len(lanes) == 0 || len(lanes) > protocol.MaxLanes || lanes[0].Address != first {
		t.Fatalf("%d lanes, the first %v, not %v", len(lanes), lanes, first)
	}
	seen := map[Lane]bool{}
	for _, l := range lanes {
		if seen[l] || !l.Address.IsValid() || len(l.Interface) >= unix.IFNAMSIZ || strings.ContainsAny(l.Interface, "/\x00") ||
			l.Address.Addr().Unmap().Is4() != first.Addr().Unmap().Is4() {
			t.Errorf("lane %+v of %+v", l, lanes)
		}
		seen[l] = true
	}
}
