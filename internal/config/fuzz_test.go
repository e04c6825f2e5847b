package config

import (
	"bytes"
	"encoding"
	"testing"
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
