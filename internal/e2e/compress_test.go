package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/relay"
)

// TestCompressedOverALossyLink sends text and noise compressed: it takes less of
// the link, parity heals it, and the vault has it as it was.
func TestCompressedOverALossyLink(t *testing.T) {
	g := newRig(t)
	link := g.link(relay.Faults{Seed: 3, Loss: 0.01})
	g.gigabit("prod", link.Addr().String())
	src := g.tree("src", 3e6, 50)
	var text bytes.Buffer
	for i := 0; text.Len() < 20e6; i++ {
		fmt.Fprintf(&text, "2026-11-23T01:00:%02dZ host service[%d]: request %08x took %d ms\n", i%60, i%7919, i*2654435761, i%977)
	}
	if err := os.WriteFile(filepath.Join(src, "text.log"), text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	g.startReceiver("--exit-after", "1", "--exit-idle", "10s")
	g.must("weir-send", "push", "--config", g.path("prod.toml"), "--source", "etc", "--compress", "auto", src)
	if code := g.ended(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	g.check("prod/etc/latest", src)
	if c := link.Counts(); c.Received*1472 > 14e6 {
		t.Errorf("23 MB took %d frames", c.Received)
	}
	_, said, code := g.run("weir-send", "push", "--config", g.path("prod.toml"), "--source", "etc", "--compress", "yes", src)
	if code != 2 || !strings.Contains(said, "auto or off") {
		t.Errorf("ended with %d: %s", code, said)
	}
}
