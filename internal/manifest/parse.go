package manifest

import (
	"bytes"
	"fmt"
)

// parseHeader reads the first line, newline included.
func parseHeader(line []byte) (Header, error) {
	var h Header
	c := cursor{line: line}
	c.need(`{"weir":"manifest","version":`)
	if v := c.uint(32); !c.bad && v != Version {
		return h, fmt.Errorf("%w: it has version %d, this program reads version %d", ErrManifest, v, Version)
	}
	c.need(`,"sender":`)
	h.Sender = c.str()
	c.need(`,"source":`)
	h.Source = c.str()
	c.need(`,"number":`)
	h.Number = c.uint(64)
	c.need(`,"taken":`)
	h.Taken = c.time()
	c.need(`,"previous":`)
	c.hex(h.Previous[:])
	c.need(`,"roots":[`)
	h.Roots = c.roots()
	c.need(`],"tool":`)
	h.Tool = c.str()
	c.need("}\n")
	if err := c.done(); err != nil {
		return h, err
	}
	if err := h.check(); err != nil {
		return h, err
	}
	return h, same(line, appendHeader(nil, &h))
}

func (c *cursor) roots() []string {
	var roots []string
	for !c.bad && c.at < len(c.line) && c.line[c.at] != ']' {
		if len(roots) > 0 {
			c.need(",")
		}
		if len(roots) == MaxRoots {
			c.bad = true
			break
		}
		roots = append(roots, c.str())
	}
	return roots
}

// parseEntry reads the line of an entry, newline included.
func parseEntry(line []byte, e *Entry) error {
	c := cursor{line: line}
	c.need(`{`)
	e.Path = c.text("", "path")
	c.need(`,"kind":`)
	e.Kind = c.kind()
	if c.lit(`,"size":`) {
		e.Size = c.int()
	}
	if c.lit(`,"sha256":`) {
		c.hex(e.SHA256[:])
	}
	if c.lit(`,"object":`) {
		c.hex(e.Object[:])
	}
	if c.lit(`,"plain":`) {
		e.Plain = c.int()
	}
	if e.Kind != Hardlink {
		c.attributes(e)
	}
	e.Target = c.text(",", "target")
	c.xattrs(e)
	c.holes(e)
	e.Problem = c.optional(`,"problem":`)
	c.need("}\n")
	return c.done()
}

func (c *cursor) kind() Kind {
	for _, k := range [...]Kind{File, Dir, Symlink, Hardlink} {
		start := c.at
		if c.lit(`"`) && c.lit(string(k)) && c.lit(`"`) {
			return k
		}
		c.at = start
	}
	c.bad = true
	return ""
}

func (c *cursor) attributes(e *Entry) {
	c.need(`,"mode":`)
	e.Mode = c.octal()
	c.need(`,"uid":`)
	e.UID = uint32(c.uint(32))
	c.need(`,"gid":`)
	e.GID = uint32(c.uint(32))
	e.User = c.optional(`,"user":`)
	e.Group = c.optional(`,"group":`)
	c.need(`,"mtime":`)
	e.ModTime = c.time()
}

// xattrs stops at the limits, so that no map grows beyond them.
func (c *cursor) xattrs(e *Entry) {
	total := 0
	for _, key := range [...]string{`,"xattrs":{`, `,"xattrs64":{`} {
		if !c.lit(key) {
			continue
		}
		if e.Xattrs == nil {
			e.Xattrs = make(map[string][]byte)
		}
		for more := true; more && !c.bad; more = c.lit(",") {
			var name string
			if key == `,"xattrs":{` {
				name = c.str()
			} else {
				name = string(c.base64())
			}
			c.need(":")
			e.Xattrs[name] = c.base64()
			if total += len(name); total > MaxXattrNames {
				c.bad = true
			}
		}
		c.need("}")
	}
}

func (c *cursor) holes(e *Entry) {
	if !c.lit(`,"holes":[`) {
		return
	}
	for more := true; more && !c.bad; more = c.lit(",") {
		if len(e.Holes) == MaxHoles {
			c.bad = true
			return
		}
		c.need("[")
		off := c.int()
		c.need(",")
		n := c.int()
		c.need("]")
		e.Holes = append(e.Holes, [2]int64{off, n})
	}
	c.need("]")
}

// isTrailer says whether line claims to be the last one. No entry begins so.
func isTrailer(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"end":`))
}

func parseTrailer(line []byte) (Trailer, error) {
	var t Trailer
	c := cursor{line: line}
	c.need(`{"end":true,"entries":`)
	t.Entries = c.int()
	c.need(`,"files":`)
	t.Files = c.int()
	c.need(`,"bytes":`)
	t.Bytes = c.int()
	c.need(`,"problems":`)
	t.Problems = c.int()
	c.need("}\n")
	if err := c.done(); err != nil {
		return t, err
	}
	return t, same(line, appendTrailer(nil, &t))
}

// done returns an error unless the whole line was read.
func (c *cursor) done() error {
	if c.bad || c.at != len(c.line) {
		return fmt.Errorf("%w: byte %d of the line is not what belongs there", ErrManifest, c.at+1)
	}
	return nil
}

// same holds a line against what the writer would have written.
func same(line, canonical []byte) error {
	if bytes.Equal(line, canonical) {
		return nil
	}
	n := 0
	for n < len(line) && n < len(canonical) && line[n] == canonical[n] {
		n++
	}
	return fmt.Errorf("%w: byte %d of the line would be written otherwise", ErrManifest, n+1)
}
