package manifest

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// A cursor reads a line of the manifest from left to right. After the first
// thing that does not fit it is bad and stays where it was.
//
// It may be lenient in small things (numbers with leading zeros, dates that do
// not exist): every line is written again from what was read, and must come
// out the same.
type cursor struct {
	line []byte
	at   int
	bad  bool
}

// lit steps over s if it stands here.
func (c *cursor) lit(s string) bool {
	if c.bad || len(c.line)-c.at < len(s) || string(c.line[c.at:c.at+len(s)]) != s {
		return false
	}
	c.at += len(s)
	return true
}

func (c *cursor) need(s string) {
	if !c.lit(s) {
		c.bad = true
	}
}

// raw returns the bytes of a string up to its closing quote, escapes and all.
// They are part of the line.
func (c *cursor) raw() (b []byte, escaped bool) {
	c.need(`"`)
	if c.bad {
		return nil, false
	}
	for i := c.at; i < len(c.line); i++ {
		switch c.line[i] {
		case '"':
			b = c.line[c.at:i]
			c.at = i + 1
			return b, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	c.bad = true
	return nil, false
}

func (c *cursor) str() string {
	b, escaped := c.raw()
	if !escaped {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		i++ // raw saw to it that a byte follows
		r, n := unescape(b[i:])
		if n == 0 {
			c.bad = true
			return ""
		}
		out = append(out, r)
		i += n - 1
	}
	return string(out)
}

// unescape reads what follows a backslash; n is 0 for an escape that the
// writer never writes.
func unescape(b []byte) (r byte, n int) {
	switch b[0] {
	case '"', '\\':
		return b[0], 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'u':
		if len(b) < 5 || b[1] != '0' || b[2] != '0' {
			return 0, 0
		}
		var v [1]byte
		if _, err := hex.Decode(v[:], b[3:5]); err != nil {
			return 0, 0
		}
		return v[0], 5
	}
	return 0, 0
}

func (c *cursor) base64() []byte {
	b, _ := c.raw()
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	if err != nil {
		c.bad = true
	}
	return out[:n]
}

// text reads a field that may hold any bytes; "" if it is not here.
func (c *cursor) text(comma, key string) string {
	start := c.at
	if c.lit(comma) && c.lit(`"`) && c.lit(key) {
		if c.lit(`":`) {
			return c.str()
		}
		if c.lit(`64":`) {
			return string(c.base64())
		}
	}
	c.at = start
	return ""
}

func (c *cursor) optional(key string) string {
	if !c.lit(key) {
		return ""
	}
	return c.str()
}

func (c *cursor) hex(dst []byte) {
	b, _ := c.raw()
	if len(b) != hex.EncodedLen(len(dst)) {
		c.bad = true
		return
	}
	if _, err := hex.Decode(dst, b); err != nil {
		c.bad = true
	}
}

func (c *cursor) uint(bits int) uint64 {
	end := c.at
	for end < len(c.line) && '0' <= c.line[end] && c.line[end] <= '9' {
		end++
	}
	digits := c.line[c.at:end]
	v, err := strconv.ParseUint(string(digits), 10, bits) // does not allocate
	if err != nil {
		c.bad = true
		return 0
	}
	c.at = end
	return v
}

// int reads a number from 0 to 2^63-1: nothing in a manifest is negative.
func (c *cursor) int() int64 {
	v := c.uint(64)
	if v > math.MaxInt64 {
		c.bad = true
		return 0
	}
	return int64(v)
}

func (c *cursor) octal() uint32 {
	b, _ := c.raw()
	var v uint32
	for _, d := range b {
		if d < '0' || d > '7' || len(b) != 4 {
			c.bad = true
			return 0
		}
		v = v<<3 | uint32(d-'0')
	}
	return v
}

// time reads timeFormat by its columns: time.Parse takes six times as long.
func (c *cursor) time() time.Time {
	b, _ := c.raw()
	if len(b) != len(timeFormat) {
		c.bad = true
		return time.Time{}
	}
	n := func(from, to int) (v int) {
		for _, d := range b[from:to] {
			if d < '0' || d > '9' {
				c.bad = true
			}
			v = v*10 + int(d-'0')
		}
		return v
	}
	year, month, day := n(0, 4), n(5, 7), n(8, 10)
	hour, minute, second, ns := n(11, 13), n(14, 16), n(17, 19), n(20, 29)
	return time.Date(year, time.Month(month), day, hour, minute, second, ns, time.UTC)
}
