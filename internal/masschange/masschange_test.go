package masschange

import (
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"os"
	"testing"
)

func TestEntropyTellsRandomFromText(t *testing.T) {
	random := make([]byte, SampleBytes)
	rand.NewChaCha8([32]byte{1}).Read(random)
	source, err := os.ReadFile("world_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(source)
	z.Close()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sample []byte
		dense  bool
	}{
		"random": {random, true}, "a kilobyte": {random[:MinSample], true}, "gzip": {zipped.Bytes(), true},
		"text": {source[:MinSample], false}, "much text": {source, false},
		"zeros": {make([]byte, 4096), false}, "nothing": {nil, false}, "a program": {program[4096:][:SampleBytes], false},
	} {
		if got := Dense(c.sample); got != c.dense {
			t.Errorf("%s: %v, with %.2f bits", name, got, Entropy(c.sample))
		}
	}
	if e := Entropy([]byte{1, 2, 3, 4}); e != 2 {
		t.Errorf("four bytes have %v bits", e)
	}
}

func TestWhatIsUsualRaisesNoAlarm(t *testing.T) {
	dump := Measure{Before: 100, Files: 100, Changed: 100, Was: 1e9, Bytes: 1e9, Sampled: 100, Dense: 100}
	first := Judge(dump, []Measure{{Files: 100, Sampled: 100, Dense: 100}}, Defaults())
	if len(first) != 2 {
		t.Errorf("the first time: %v", first)
	}
	seen := []Measure{dump}
	if again := Judge(dump, seen, Defaults()); len(again) != 0 {
		t.Errorf("the second time: %v", again)
	}
	seen[0].Suspicious = true
	if again := Judge(dump, seen, Defaults()); len(again) == 0 {
		t.Error("what nobody accepted counts as usual")
	}
	if off := Judge(dump, seen, Limits{Off: true}); off != nil {
		t.Errorf("off: %v", off)
	}
	few := Measure{Before: 10, Changed: 10, Gone: 9, Sampled: 10, Dense: 10}
	if r := Judge(few, nil, Defaults()); r != nil {
		t.Errorf("ten files: %v", r)
	}
	shrunk := Measure{Before: 1000, Files: 1000, Changed: 5, Was: 1 << 40, Bytes: 1 << 37}
	if r := Judge(shrunk, nil, Defaults()); len(r) != 1 {
		t.Errorf("an eighth of the size: %v", r)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var h []Measure
	for i := range MaxHistory + 20 {
		h = Remember(h, Measure{Name: string(rune('a' + i)), Files: int64(i)})
	}
	h = Remember(h, Measure{Name: h[5].Name, Files: -1})
	if len(h) != MaxHistory || h[5].Files != -1 || h[0].Files != 20 {
		t.Errorf("%d, %+v", len(h), h[0])
	}
}
