package vault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func pointsAt(times ...time.Time) []stored {
	var all []stored
	for i, t := range times {
		all = append(all, stored{snap: Snapshot{Sender: "prod", Source: "etc", Number: uint64(i + 1), Taken: t}, received: t})
	}
	return all
}

func kept(all []Verdict) (numbers []uint64) {
	for _, v := range all {
		if v.Keep {
			numbers = append(numbers, v.snap.Number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func TestRetentionRules(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	var halfDays []time.Time // numbers 1.. at 00:30 and 12:30 of each day
	for i := range 120 {
		halfDays = append(halfDays, start.Add(time.Duration(i)*12*time.Hour))
	}
	now := halfDays[119].Add(time.Hour)
	for name, c := range map[string]struct {
		rules Retention
		want  []uint64
	}{
		"last":    {Retention{Last: 3}, []uint64{118, 119, 120}},
		"daily":   {Retention{Daily: 3}, []uint64{116, 118, 120}},
		"hourly":  {Retention{Hourly: 2}, []uint64{119, 120}},
		"weekly":  {Retention{Weekly: 2}, []uint64{106, 120}},         // Sunday 22 February, Sunday 1 March
		"monthly": {Retention{Monthly: 12}, []uint64{62, 118, 120}},   // ends of January and February
		"yearly":  {Retention{Yearly: 5}, []uint64{120}},              // one year is there
		"union":   {Retention{Last: 1, Daily: 2}, []uint64{118, 120}}, // the last is also the newest of its day
		"min age": {Retention{Last: 1, MinAge: 25 * time.Hour}, []uint64{119, 120}},
	} {
		if got := kept(c.rules.judge(pointsAt(halfDays...), now)); !slices.Equal(got, c.want) {
			t.Errorf("%s keeps %v, want %v", name, got, c.want)
		}
	}
	for name, r := range map[string]Retention{"none": {}, "only an age": {MinAge: time.Hour, Lock: time.Hour}} {
		if got := kept(r.judge(pointsAt(halfDays...), now)); len(got) != 120 {
			t.Errorf("%s keeps %d of 120", name, len(got))
		}
	}
}

// TestRetentionPromises holds for any rules and any times: the newest stays, what
// is locked or held stays, what is held takes nobody's place, and a prune after a
// prune finds nothing.
func TestRetentionPromises(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		var times []time.Time
		for range 1 + rng.IntN(200) {
			times = append(times, now.Add(-time.Duration(rng.Int64N(int64(3*365*24*time.Hour)))))
		}
		slices.SortFunc(times, time.Time.Compare)
		points := pointsAt(times...)
		held := map[string]bool{}
		for i := range points {
			if rng.IntN(10) == 0 {
				points[i].locked = now.Add(time.Duration(rng.Int64N(1e15) - 5e14))
			}
			if rng.IntN(10) == 0 {
				points[i].held = "damaged"
				held[points[i].snap.Ref()] = true
			}
		}
		r := Retention{Last: rng.IntN(4), Daily: rng.IntN(10), Weekly: rng.IntN(5), Monthly: rng.IntN(14), MinAge: time.Duration(rng.IntN(1000)) * time.Hour}
		all := r.judge(slices.Clone(points), now)
		var left []stored
		sound := 0
		for i, v := range all {
			p := points[slices.IndexFunc(points, func(p stored) bool { return p.snap == v.snap })]
			if !v.Keep && (p.held != "" || p.locked.After(now) || now.Sub(p.received) < r.MinAge) {
				t.Fatalf("seed %d: removes %+v", seed, p)
			}
			if p.held == "" {
				if sound++; sound == 1 && !v.Keep {
					t.Fatalf("seed %d: the newest sound one, %d of all, is removed", seed, i)
				}
				if sound <= r.Last && !v.Keep {
					t.Fatalf("seed %d: number %d from the end is removed, keep_last is %d", seed, sound, r.Last)
				}
			}
			if v.Keep {
				left = append(left, p)
			}
		}
		if again := kept(r.judge(slices.Clone(left), now)); len(again) != len(left) {
			t.Fatalf("seed %d: a second prune goes from %d to %d", seed, len(left), len(again))
		}
	}
}

func TestVerdictsSayWhy(t *testing.T) {
	now := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	points := pointsAt(now.Add(-50*time.Hour), now.Add(-49*time.Hour), now.Add(-time.Hour))
	points[0].locked = now.Add(time.Hour)
	var lines []string
	for _, v := range (Retention{Last: 1}).judge(points, now) {
		lines = append(lines, fmt.Sprintf("%d %v %s", v.snap.Number, v.Keep, v.Why))
	}
	want := []string{"3 true newest, last 1", "2 false no rule keeps it", "1 true locked until 2026-05-10T13:00:00Z"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}
