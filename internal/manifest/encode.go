package manifest

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

const timeFormat = "2006-01-02T15:04:05.000000000Z"

// What the format can say about time. Some file systems hold times far outside
// the years that RFC 3339 writes with four digits.
var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

func appendHeader(b []byte, h *Header) []byte {
	b = append(b, `{"weir":"manifest","version":`...)
	b = strconv.AppendInt(b, Version, 10)
	b = appendString(append(b, `,"sender":`...), h.Sender)
	b = appendString(append(b, `,"source":`...), h.Source)
	b = strconv.AppendUint(append(b, `,"number":`...), h.Number, 10)
	b = appendTime(append(b, `,"taken":`...), h.Taken)
	b = appendHex(append(b, `,"previous":`...), h.Previous[:])
	b = append(b, `,"roots":[`...)
	for i, r := range h.Roots {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, r)
	}
	b = appendString(append(b, `],"tool":`...), h.Tool)
	return append(b, "}\n"...)
}

func appendEntry(b []byte, e *Entry) []byte {
	b = appendText(append(b, '{'), "path", e.Path)
	b = appendString(append(b, `,"kind":`...), string(e.Kind))
	if e.Kind == Hardlink {
		b = appendText(append(b, ','), "target", e.Target)
		return append(b, "}\n"...)
	}
	if e.Kind == File {
		b = appendContent(b, e)
	}
	b = append(b, `,"mode":"`...)
	b = appendOctal(b, e.Mode)
	b = strconv.AppendUint(append(b, `","uid":`...), uint64(e.UID), 10)
	b = strconv.AppendUint(append(b, `,"gid":`...), uint64(e.GID), 10)
	b = appendOptional(b, `,"user":`, e.User)
	b = appendOptional(b, `,"group":`, e.Group)
	b = appendTime(append(b, `,"mtime":`...), e.ModTime)
	if e.Target != "" {
		b = appendText(append(b, ','), "target", e.Target)
	}
	b = appendXattrs(b, e.Xattrs)
	b = appendHoles(b, e.Holes)
	b = appendOptional(b, `,"problem":`, e.Problem)
	return append(b, "}\n"...)
}

func appendContent(b []byte, e *Entry) []byte {
	b = strconv.AppendInt(append(b, `,"size":`...), e.Size, 10)
	if e.SHA256 != [32]byte{} {
		b = appendHex(append(b, `,"sha256":`...), e.SHA256[:])
	}
	if e.Object != [16]byte{} {
		b = appendHex(append(b, `,"object":`...), e.Object[:])
	}
	if e.Plain != 0 {
		b = strconv.AppendInt(append(b, `,"plain":`...), e.Plain, 10)
	}
	return b
}

func appendTrailer(b []byte, t *Trailer) []byte {
	b = strconv.AppendInt(append(b, `{"end":true,"entries":`...), t.Entries, 10)
	b = strconv.AppendInt(append(b, `,"files":`...), t.Files, 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), t.Bytes, 10)
	b = strconv.AppendInt(append(b, `,"problems":`...), t.Problems, 10)
	return append(b, "}\n"...)
}

// appendXattrs sorts the names, so that equal attributes have equal texts.
func appendXattrs(b []byte, xattrs map[string][]byte) []byte {
	if len(xattrs) == 0 {
		return b
	}
	sorted := slices.Sorted(maps.Keys(xattrs))
	b = appendXattrMap(b, `,"xattrs":{`, sorted, xattrs, true)
	return appendXattrMap(b, `,"xattrs64":{`, sorted, xattrs, false)
}

// appendXattrMap appends the attributes whose names are UTF-8, or the others.
func appendXattrMap(b []byte, key string, sorted []string, xattrs map[string][]byte, valid bool) []byte {
	open := false
	for _, name := range sorted {
		if utf8.ValidString(name) != valid {
			continue
		}
		if open {
			b = append(b, ',')
		} else {
			b = append(b, key...)
			open = true
		}
		if valid {
			b = appendString(b, name)
		} else {
			b = appendBase64(b, []byte(name))
		}
		b = appendBase64(append(b, ':'), xattrs[name])
	}
	if open {
		b = append(b, '}')
	}
	return b
}

func appendHoles(b []byte, holes [][2]int64) []byte {
	if len(holes) == 0 {
		return b
	}
	b = append(b, `,"holes":[`...)
	for i, h := range holes {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), h[0], 10)
		b = strconv.AppendInt(append(b, ','), h[1], 10)
		b = append(b, ']')
	}
	return append(b, ']')
}

// appendText appends a field that may hold any bytes.
func appendText(b []byte, key, s string) []byte {
	b = append(append(b, '"'), key...)
	if utf8.ValidString(s) {
		return appendString(append(b, `":`...), s)
	}
	return appendBase64(append(b, `64":`...), []byte(s))
}

func appendOptional(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, key...), s)
}

// appendString appends valid UTF-8 as a JSON string (RFC 8259), with the
// shortest escapes for what must be escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = hex.AppendEncode(append(b, `\u00`...), []byte{c})
		}
	}
	return append(append(b, s[done:]...), '"')
}

func appendBase64(b, raw []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), raw), '"')
}

func appendHex(b, raw []byte) []byte {
	return append(hex.AppendEncode(append(b, '"'), raw), '"')
}

// appendOctal writes the mode as chmod takes it.
func appendOctal(b []byte, mode uint32) []byte {
	return append(b, '0'+byte(mode>>9&7), '0'+byte(mode>>6&7), '0'+byte(mode>>3&7), '0'+byte(mode&7))
}

func appendTime(b []byte, t time.Time) []byte {
	t = clamp(t)
	b = t.AppendFormat(append(b, '"'), timeFormat)
	return append(b, '"')
}

func clamp(t time.Time) time.Time {
	t = t.UTC()
	switch {
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t
}
