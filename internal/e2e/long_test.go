package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/relay"
)

// newLongRig skips a test that takes minutes unless it is asked for.
func newLongRig(t *testing.T) *rig {
	t.Helper()
	long(t)
	g := newRig(t)
	g.patience = longPatience
	return g
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("WEIR_LONG") == "" {
		t.Skip("this takes minutes and gigabytes: set WEIR_LONG=1")
	}
}

// TestTwentyInTwenty is the full count of what must heal without a second pass.
func TestTwentyInTwenty(t *testing.T) {
	long(t)
	for i := range uint64(20) {
		for kind, f := range map[string]relay.Faults{
			"1 % at random": {Seed: i, Loss: 0.01},
			"20 ms":         {Cuts: []relay.Cut{{From: 500 + i*5500, Length: cut20ms}}},
			"6 of 512":      {Drop: func(n uint64, _ []byte) bool { return (n+i*25)%512 < 6 }},
		} {
			t.Run(fmt.Sprint(i+1, " ", kind), func(t *testing.T) { healOnce(t, f, 150e6) })
		}
	}
}

// TestFiveThousandLost loses them in a file of 300 MB: that file is not whole,
// every other one is.
func TestFiveThousandLost(t *testing.T) {
	long(t)
	fiveThousandLost(t, 300e6, 150000)
}

// TestTenGiB sends one file of that size and holds the memory of both sides.
func TestTenGiB(t *testing.T) {
	g := newLongRig(t)
	g.gigabit("prod", g.listen)
	src := g.path("src")
	giant(t, filepath.Join(src, "giant"), 10<<30)
	g.startReceiver("--exit-after", "1", "--exit-idle", "60s")
	start := time.Now()
	t.Log(g.push("prod", "etc", 0, src))
	sender := g.peak
	if code := g.ended(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	t.Logf("published %v after the start; peak memory: sender %d MiB, receiver %d MiB", time.Since(start).Round(time.Millisecond), sender>>20, g.recv.memory.peak.Load()>>20)
	g.modest(sender)
	g.must("weir-vault", "verify", "prod/etc/latest", "--vault", g.path("vault"))
}

// giant makes a file that cannot be compressed.
func giant(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.NewChaCha8([32]byte{1})
	for b := make([]byte, 1<<16); size > 0; size -= len(b) {
		rng.Read(b)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// TestHundredThousandFiles sends 100,000 files of 1 KiB.
func TestHundredThousandFiles(t *testing.T) {
	g := newLongRig(t)
	g.gigabit("prod", g.listen)
	src := g.path("src")
	content := make([]byte, 1024)
	rng := rand.NewChaCha8([32]byte{2})
	for i := range 100_000 {
		dir := filepath.Join(src, fmt.Sprint(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		rng.Read(content)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g.startReceiver("--exit-after", "1", "--exit-idle", "60s")
	start := time.Now()
	t.Log(g.push("prod", "etc", 0, src))
	sender := g.peak
	if code := g.ended(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	t.Logf("published %v after the start; peak memory: sender %d MiB, receiver %d MiB", time.Since(start).Round(time.Millisecond), sender>>20, g.recv.memory.peak.Load()>>20)
	g.modest(sender)
	g.check("prod/etc/latest", src)
}
