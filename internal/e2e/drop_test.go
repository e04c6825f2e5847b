package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/relay"
	"weir/protocol"
)

// TestDropAndAcceptWhileReceiving gives up a snapshot that will never be whole, and
// accepts one that is suspicious, while weir-recv runs; neither comes back.
func TestDropAndAcceptWhileReceiving(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link := g.link(relay.Faults{})
	g.sender("prod", link.Addr().String(), "200Mbit")
	g.edit(g.path("receiver.toml"), `status_every = "5s"`, `status_every = "1s"`)
	g.startReceiver()
	src := g.tree("src", 500_000, 60)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)

	e := g.compromise("prod") // of whom a snapshot is heard that never was
	b := protocol.AppendContext(nil, &protocol.Context{Source: "etc", Number: 77, Taken: 1e18})
	for range 5 {
		e.send(protocol.AppendData(b, &protocol.Data{Object: protocol.ObjectID{9}, Bytes: []byte("never to be whole")}))
	}
	name := "prod/etc@77"
	g.wait(func() bool { return len(g.list()) == 2 }, func() string { return fmt.Sprint(g.list()) + g.recv.log() })
	g.vault(1, "drop", "prod/etc@1") // a restore point is not dropped
	g.vault(0, "drop", name)
	g.vault(1, "drop", name)
	for range 5 {
		e.send(protocol.AppendData(b, &protocol.Data{Object: protocol.ObjectID{9}, Bytes: []byte("never to be whole")}))
	}

	// Most files are replaced: the snapshot is whole and suspicious.
	for i := range 60 {
		write(t, filepath.Join(src, "small", fmt.Sprint(i)), 5000+i)
	}
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	g.waitLog(g.recv, `"event":"mass-change"`)
	latest := "prod/etc/latest"
	if all := g.vault(0, "list"); !strings.Contains(all, "SUSPICIOUS") || strings.Contains(all, ".000077") {
		t.Fatalf("listed:\n%s", all)
	}
	g.waitVerdict(3, "source-doubtful prod/etc")
	g.vault(0, "accept", latest)
	g.waitVerdict(0, "ALL IS AS EXPECTED")
	g.vault(1, "accept", latest)
	if all := g.vault(0, "list"); strings.Contains(all, "SUSPICIOUS") {
		t.Errorf("accepted, and listed as:\n%s", all)
	}
	events := g.vault(0, "events")
	for _, want := range []string{"mass-change-accepted", "snapshot-removed", "dropped by an operator"} {
		if !strings.Contains(events, want) {
			t.Errorf("the event log lacks %s:\n%s", want, events)
		}
	}
	g.vault(0, "events", "--verify")
	g.stop(g.recv)
	g.vault(1, "drop", latest) // alone too
	if left, err := os.ReadDir(g.path("vault", ".weir", "pending", "prod", "etc")); err == nil && len(left) > 0 {
		t.Errorf("left of it: %v", left)
	}
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(3)
	g.check(latest, src)
}

// waitVerdict waits until weir-vault status ends with the code and says the words.
func (g *rig) waitVerdict(code int, words string) {
	g.t.Helper()
	var said string
	g.wait(func() bool {
		out, errs, got := g.run("weir-vault", "status", "--config", g.path("receiver.toml"))
		said = fmt.Sprintf("%d: %s%s", got, out, errs)
		return got == code && strings.Contains(out, words)
	}, func() string { return fmt.Sprintf("%d and %q of status, which ends with %s", code, words, said) })
}
