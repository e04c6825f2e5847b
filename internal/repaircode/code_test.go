package repaircode

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testKey = Key([]Binding{{Sender: "prod", Source: "etc", Number: 42, Taken: time.Unix(1e9, 0), Manifest: [32]byte{1}}})

// golden holds the specification to what was printed once: codes are carried
// between programs of different ages.
var golden = []struct {
	code Code
	text string
}{
	{Code{[]Part{{Source: SourceHash("etc"), Number: 42, Kind: Everything, Count: 1}}}, "60H4V-J4J5D-JCG"},
	{Code{[]Part{{Source: SourceHash("etc"), Number: 42, Kind: Manifest}}}, "60H4V-M6AKN-YZE"},
	{Code{[]Part{{Source: SourceHash("etc"), Number: 42, Kind: Files, Ranges: []Range{{17, 1}, {1000, 1}}}}}, "60H4V-RQXCC-8FTGE-V76BK-JH"},
	{Code{[]Part{{Source: SourceHash("etc"), Number: 42, Kind: Units, Scale: 8, Ranges: []Range{{123456, 3}}}}}, "60H4V-X2435-Y4G3C-XTS69-Y9"},
	{Code{[]Part{
		{Source: SourceHash("etc"), Number: 42, Kind: Everything, Count: 7},
		{Source: SourceHash("etc"), Number: 49, Kind: Files, Ranges: []Range{{0, 5}}},
		{Source: SourceHash("home"), Number: 1, Kind: Units, Ranges: []Range{{1 << 40, 1 << 30}}},
	}}, "3G49C-47R42-03P43-X861Q-XX00M-G0G0M-0000A-FZZZW-ZZRE0-TENKQ"},
}

func TestGolden(t *testing.T) {
	for i, g := range golden {
		if got := g.code.Text(testKey); got != g.text {
			t.Errorf("code %d is %s, and was %s", i, got, g.text)
		}
		p, err := Parse(g.text)
		if err != nil || !reflect.DeepEqual(p.Code, g.code) || !p.For(testKey) {
			t.Errorf("%s: %+v %v", g.text, p, err)
		}
	}
}

func randomCode(rng *rand.Rand) (c Code) {
	for range 1 + rng.IntN(3) {
		p := Part{Source: uint16(rng.IntN(4)), Number: 1 + rng.Uint64N(1<<rng.IntN(40)), Kind: Kind(rng.IntN(4))}
		switch p.Kind {
		case Everything:
			p.Count = 1 + rng.Uint64N(MaxCount)
		case Units:
			p.Scale = uint8(rng.IntN(maxScale + 1))
			fallthrough
		case Files:
			at := uint64(0)
			for range 1 + rng.IntN(30) {
				r := Range{at + rng.Uint64N(1<<rng.IntN(40-int(p.Scale))), 1 + rng.Uint64N(1<<rng.IntN(40-int(p.Scale)))}
				p.Ranges, at = append(p.Ranges, r), r.End()+1
			}
		}
		c.Parts = append(c.Parts, p)
	}
	return c
}

func TestTextAndBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := randomCode(rng)
		text := c.Text(testKey)
		if c.length() != len(text) {
			t.Fatalf("%d characters were foretold, there are %d", c.length(), len(text))
		}
		for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(text, "-", " \n"),
			strings.NewReplacer("0", "o", "1", "l").Replace(text)} {
			p, err := Parse(typed)
			if err != nil || !reflect.DeepEqual(p.Code, c) || !p.For(testKey) {
				t.Fatalf("%s of %+v: %v", typed, c, err)
			}
			if p.For(Key([]Binding{{Sender: "prod", Source: "etc", Number: 43}})) {
				t.Fatal("a code passed for another snapshot")
			}
		}
	}
}

// TestTypingErrors makes every substitution and every neighbouring exchange, and
// expects that the group is named.
func TestTypingErrors(t *testing.T) {
	text := golden[4].code.Text(testKey)
	located := func(typed string, at int) {
		t.Helper()
		_, err := Parse(typed)
		if want := fmt.Sprintf("group %d,", at/6+1); !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), want) {
			t.Fatalf("%s, wrong in %s for %s: %v", typed, want, text, err)
		}
	}
	for i := range text {
		if text[i] == '-' {
			continue
		}
		for _, r := range alphabet + "U?" {
			if byte(r) != text[i] {
				located(text[:i]+string(r)+text[i+1:], i)
			}
		}
		if i+1 < len(text) && text[i+1] != '-' && text[i] != text[i+1] {
			located(text[:i]+text[i+1:i+2]+text[i:i+1]+text[i+2:], i)
		}
		located(text[:i]+text[i+1:], i)
		located(text[:i]+"7"+text[i:], i)
	}
	groups := strings.Split(text, Separator)
	for i := range groups {
		for j := range i {
			swapped := append([]string(nil), groups...)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			if _, err := Parse(strings.Join(swapped, Separator)); err == nil {
				t.Errorf("groups %d and %d changed places unnoticed", i, j)
			}
		}
		if p, err := Parse(strings.Join(groups[:i], Separator)); err == nil && p.For(testKey) {
			t.Errorf("%d of %d groups passed", i, len(groups))
		}
	}
}

func TestOtherText(t *testing.T) {
	for _, text := range []string{"", " - ", "0", "0000", "hello", "prod/etc@42", strings.Repeat("0", MaxText+1), "00001-00002-0000", "Ünïcö-de"} {
		if p, err := Parse(text); !errors.Is(err, ErrCode) {
			t.Errorf("%.40q: %v %v", text, p, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, g := range golden {
		f.Add(g.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrCode) {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse(p.Text(testKey))
		if err != nil || !reflect.DeepEqual(again.Code, p.Code) {
			t.Fatalf("%+v became %+v: %v", p.Code, again, err)
		}
	})
}

// FuzzBits reads parts from any symbols at all: the checks of a text would keep
// the fuzzer out.
func FuzzBits(f *testing.F) {
	for _, g := range golden {
		var w bitWriter
		g.code.write(&w)
		f.Add(w.symbols())
	}
	f.Fuzz(func(t *testing.T, symbols []byte) {
		for i := range symbols {
			symbols[i] &= 31
		}
		var c, again Code
		if c.read(&bitReader{symbols: symbols}) != nil {
			return
		}
		var w bitWriter
		c.write(&w)
		if err := again.read(&bitReader{symbols: w.symbols()}); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v became %+v: %v", c, again, err)
		}
	})
}
