package status

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTextSaysWhatThePageSays(t *testing.T) {
	var b bytes.Buffer
	WriteText(&b, sample())
	for _, want := range []string{
		"2 THINGS ARE NOT AS EXPECTED; 4 sources, 92 restore points whole",
		"source-overdue prod/database-cluster-01, since 2026-11-23 11:00:\n    the newest whole restore point is 2 d 4 h old",
		"prod/mail                  none", "OVERDUE", "768 GiB", "at the sender: weir-send resend 7KX4-9QZM2-B8F1T",
		"raise burst to", "new                   never heard of", "is full in 11 d", "read again 2 d 22 h ago, 812,345 objects; nothing damaged was found.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	for l := range strings.Lines(b.String()) {
		if strings.ContainsAny(strings.TrimSuffix(l, "\n"), "\x00\x1b\r") {
			t.Errorf("control characters reach the terminal: %q", l)
		}
	}
}

// TestBuildingIsNoLack: what is being built is not said to lack its manifest.
func TestBuildingIsNoLack(t *testing.T) {
	if v := newMissingView(&Missing{Building: true}); !strings.Contains(v.Lacks, "being checked and built") {
		t.Errorf("it says %q", v.Lacks)
	}
}

func TestTextOfAnEmptyVault(t *testing.T) {
	var b bytes.Buffer
	WriteText(&b, &Status{Version: Version, Written: noon, Host: "h", Vault: "/v"})
	want := "h, vault /v, as of 2026-11-24 12:00:00\n\nALL IS AS EXPECTED: 0 sources, 0 restore points whole.\nCHECKS    Nothing has been read again yet: weir-vault scrub. Nothing has been attested yet.\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestStatusGoesStale(t *testing.T) {
	s := &Status{Written: noon, Every: 5}
	if s.Stale(noon.Add(10*time.Second)) || !s.Stale(noon.Add(time.Minute)) {
		t.Error("a status is stale at the wrong time")
	}
}
