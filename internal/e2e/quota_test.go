package e2e

import (
	"encoding/binary"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/protocol"
)

// TestQuotaHoldsACompromisedSender lets an enemy with a sender's good keys fill its
// bounds, of objects first and then of bytes. What it had stored stays, and another
// sender does not notice.
func TestQuotaHoldsACompromisedSender(t *testing.T) {
	t.Parallel()
	const objects, bytes = 60, 2_000_000
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	g.edit(g.path("receiver.toml"), `name = "prod"`, "name = \"prod\"\nquota = \"2MB\"\nmax_objects = 60")
	g.sender("other", g.listen, "100Mbit")
	src := g.tree("src", 200_000, 10)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	e := g.compromise("prod")
	context := protocol.AppendContext(nil, &protocol.Context{Source: "fill", Number: 1, Taken: time.Now().UnixNano()})
	name := func(n int) (id protocol.ObjectID) { binary.BigEndian.PutUint32(id[:], uint32(n+1)); return id }
	for n := range 10 {
		b := context
		for i := range 30 {
			b = protocol.AppendData(b, &protocol.Data{Object: name(30*n + i), Bytes: make([]byte, 10)})
		}
		e.send(b)
	}
	g.waitLog(g.recv, `"limit":"objects"`)
	part := make([]byte, 100_000)
	for n := range 40 {
		e.send(protocol.AppendData(context, &protocol.Data{Object: name(0), Offset: uint64(n * len(part)), Bytes: part}))
	}
	g.wait(func() bool { return strings.Count(g.recv.log(), `"event":"quota-full"`) == 2 }, func() string { return "both bounds to be told of; " + g.recv.log() })
	if !strings.Contains(g.recv.log(), `"limit":"bytes"`) {
		t.Error(g.recv.log())
	}
	g.push("other", "etc", 0, src)
	g.waitWhole(2)
	count, sum := g.filled("prod")
	if count > objects || sum > bytes || count < objects/2 || sum < bytes/2 {
		t.Errorf("%d objects of %d bytes are there", count, sum)
	}
	g.check("prod/etc/latest", src)
	g.check("other/etc/latest", src)
}

// filled counts the objects of a sender, complete or not, and their bytes.
func (g *rig) filled(sender string) (count int, bytes int64) {
	for _, place := range []string{"objects", "incoming"} {
		filepath.WalkDir(g.path("vault", ".weir", place, sender), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.Contains(d.Name(), ".") {
				return nil
			}
			if st, err := d.Info(); err == nil {
				count, bytes = count+1, bytes+st.Size()
			}
			return nil
		})
	}
	return count, bytes
}
