package relay

import (
	"bytes"
	"math/bits"
	"slices"
	"testing"
	"time"
)

// fates returns what becomes of n datagrams.
func fates(j *judge, n int) []verdict {
	all := make([]verdict, n)
	for i := range all {
		all[i] = j.judge(uint64(i+1), nil)
	}
	return all
}

func count(all []verdict, v verdict) (n int) {
	for _, a := range all {
		if a == v {
			n++
		}
	}
	return n
}

func TestRatesAreKept(t *testing.T) {
	const n = 200000
	for name, c := range map[string]struct {
		f    Faults
		v    verdict
		want float64
	}{
		"loss":          {Faults{Seed: 1, Loss: 0.02}, lost, 0.02},
		"all lost":      {Faults{Loss: 1}, lost, 1},
		"reordering":    {Faults{Seed: 2, Reorder: 0.1, ReorderBy: 5}, heldBack, 0.1},
		"no bound":      {Faults{Reorder: 1}, heldBack, 0},
		"bursts":        {Faults{Seed: 3, Bursts: Bursts{Enter: 0.01, Leave: 0.1, LossBad: 1}}, lost, 1.0 / 11},
		"bursts, loose": {Faults{Seed: 4, Bursts: Bursts{Enter: 0.01, Leave: 0.1, LossGood: 0.01, LossBad: 0.5}}, lost, (10*0.01 + 0.5) / 11},
		"nothing":       {Faults{Seed: 5}, lost, 0},
	} {
		got := float64(count(fates(newJudge(c.f, time.Now), n), c.v)) / n
		if got < 0.85*c.want || got > 1.15*c.want {
			t.Errorf("%s: %.4f, want %.4f", name, got, c.want)
		}
	}
}

// TestBurstsAreLong holds the mean length of bursts, which is what tells the
// model from independent loss.
func TestBurstsAreLong(t *testing.T) {
	all := fates(newJudge(Faults{Seed: 6, Bursts: Bursts{Enter: 0.001, Leave: 0.05, LossBad: 1}}, time.Now), 500000)
	bursts := 0
	for i, v := range all {
		if v == lost && (i == 0 || all[i-1] != lost) {
			bursts++
		}
	}
	if mean := float64(count(all, lost)) / float64(bursts); mean < 17 || mean > 23 {
		t.Errorf("bursts have %.1f datagrams on average, want 20", mean)
	}
}

func TestCutByTime(t *testing.T) {
	now := time.Unix(1000, 0)
	j := newJudge(Faults{Cuts: []Cut{{From: 11, For: 20 * time.Millisecond}}}, func() time.Time { return now })
	var gone []int
	for i := 1; i <= 50; i++ {
		if j.judge(uint64(i), nil) == cutOut {
			gone = append(gone, i)
		}
		now = now.Add(time.Millisecond)
	}
	if len(gone) != 20 || gone[0] != 11 || gone[19] != 30 {
		t.Errorf("cut out: %v", gone)
	}
}

// TestCutLeavesTheRestAlone holds that what is lost outside of a cut does not
// depend on it.
func TestCutLeavesTheRestAlone(t *testing.T) {
	f := Faults{Seed: 7, Loss: 0.1, Reorder: 0.1, ReorderBy: 9, Bursts: Bursts{Enter: 0.01, Leave: 0.1, LossBad: 0.5}}
	without := fates(newJudge(f, time.Now), 2000)
	f.Cuts = []Cut{{From: 501, Length: 300}}
	with := fates(newJudge(f, time.Now), 2000)
	if !slices.Equal(without[:500], with[:500]) || !slices.Equal(without[800:], with[800:]) || count(with, cutOut) != 300 {
		t.Error("the cut changed what was lost outside of it")
	}
}

func TestDamage(t *testing.T) {
	whole := bytes.Repeat([]byte{0xa5}, 100)
	flip := newJudge(Faults{Seed: 8, Corrupt: 1}, time.Now)
	short := newJudge(Faults{Seed: 9, Truncate: 1}, time.Now)
	for range 200 {
		d, corrupted, truncated := flip.damage(bytes.Clone(whole))
		differ := 0
		for i := range d {
			differ += bits.OnesCount8(d[i] ^ whole[i])
		}
		if differ != 1 || len(d) != 100 || !corrupted || truncated {
			t.Fatalf("%d bits of %d bytes differ", differ, len(d))
		}
		if d, corrupted, truncated = short.damage(bytes.Clone(whole)); len(d) >= 100 || !bytes.HasPrefix(whole, d) || corrupted || !truncated {
			t.Fatalf("%d bytes are left", len(d))
		}
	}
	if d, _, _ := newJudge(Faults{Corrupt: 1, Truncate: 1}, time.Now).damage(nil); len(d) != 0 {
		t.Errorf("an empty datagram became %d bytes", len(d))
	}
}
