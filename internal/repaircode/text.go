package repaircode

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

const (
	symbolBits = 5
	// GroupSize is how many characters a group has, its check included.
	GroupSize    = groupData + 1
	groupData    = 4 // symbols of a group before its check
	checkSymbols = 5 // of the whole code
	alphabet     = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// Separator stands between groups.
const Separator = "-"

// ErrCode is wrapped by every error about a code that is mistyped, cut short, or
// no code at all.
var ErrCode = errors.New("this is no good repair code")

// Text returns the code as text, in groups. The key is of Key.
func (c Code) Text(key []byte) string {
	var w bitWriter
	c.write(&w)
	data := w.symbols()
	data = append(data, check(key, data)...)
	var groups []string
	for g := 0; len(data) > 0; g++ {
		n := min(groupData, len(data))
		var b []byte
		for _, s := range append(data[:n:n], groupCheck(g, data[:n])) {
			b = append(b, alphabet[s])
		}
		groups = append(groups, string(b))
		data = data[n:]
	}
	return strings.Join(groups, Separator)
}

// textLength returns the length of the text of a code of n bits.
func textLength(n int) int {
	symbols := (n+symbolBits-1)/symbolBits + checkSymbols
	groups := (symbols + groupData - 1) / groupData
	return symbols + 2*groups - 1
}

// Parsed is a code whose text is well formed. Whether it is for this sender says
// For.
type Parsed struct {
	Code
	data, check []byte
}

// For reports whether the code was made with the key.
func (p *Parsed) For(key []byte) bool {
	return subtle.ConstantTimeCompare(p.check, check(key, p.data)) == 1
}

// Parse reads a code. Case, spaces and separators do not matter; I and L are read
// as 1, O as 0. An error wraps ErrCode and names the first group that is wrong.
func Parse(text string) (*Parsed, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrCode, MaxText)
	}
	groups, err := split(text)
	if err != nil {
		return nil, err
	}
	var data []byte
	for g, group := range groups {
		symbols, err := readGroup(g, group, g == len(groups)-1)
		if err != nil {
			return nil, err
		}
		data = append(data, symbols...)
	}
	if len(data) <= checkSymbols {
		return nil, fmt.Errorf("%w: it is too short, groups are missing at the end", ErrCode)
	}
	at := len(data) - checkSymbols
	p := &Parsed{data: data[:at], check: data[at:]}
	if err := p.read(&bitReader{symbols: p.data}); err != nil {
		return nil, fmt.Errorf("%w; is the end missing?", err)
	}
	return p, nil
}

// split cuts a text into groups: where the separators are, or if there are none
// after every fifth symbol.
func split(text string) ([]string, error) {
	groups := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(Separator+" \t\r\n", r) })
	if len(groups) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrCode)
	}
	if len(groups) > 1 {
		return groups, nil
	}
	rest := groups[0]
	groups = nil
	for len(rest) > groupData+1 {
		groups = append(groups, rest[:groupData+1])
		rest = rest[groupData+1:]
	}
	return append(groups, rest), nil
}

func readGroup(g int, text string, last bool) ([]byte, error) {
	bad := func(why string) error {
		return fmt.Errorf("%w: look at group %d, %.20q: %s", ErrCode, g+1, text, why)
	}
	var symbols []byte
	for _, r := range strings.ToUpper(text) {
		switch r {
		case 'I', 'L':
			r = '1'
		case 'O':
			r = '0'
		}
		s := strings.IndexRune(alphabet, r)
		if s < 0 {
			return nil, bad(fmt.Sprintf("%q is never in a code", r))
		}
		symbols = append(symbols, byte(s))
	}
	switch n := len(symbols); {
	case n > groupData+1:
		return nil, bad("it is too long")
	case n < 2, n < groupData+1 && !last:
		return nil, bad("it is too short")
	}
	n := len(symbols) - 1
	if symbols[n] != groupCheck(g, symbols[:n]) {
		return nil, bad("something in it is mistyped")
	}
	return symbols[:n], nil
}

// check returns the symbols that bind a code to a key.
func check(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	sum := m.Sum(nil)
	var w bitWriter
	for _, b := range sum[:4] {
		w.put(uint64(b), 8)
	}
	return w.symbols()[:checkSymbols]
}

// times multiplies with 2 in GF(32).
func times(s byte) byte {
	if s <<= 1; s&32 != 0 {
		s ^= 0b100101
	}
	return s
}

func groupCheck(g int, data []byte) byte {
	sum := byte(1)
	for range g % 31 {
		sum = times(sum)
	}
	for i, s := range data {
		for range i + 1 {
			s = times(s)
		}
		sum ^= s
	}
	return sum
}
