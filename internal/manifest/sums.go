package manifest

import "encoding/hex"

// AppendSumLine appends the line of a SHA256SUMS file for the file at path,
// newline included. A backslash, newline or carriage return in the path is
// escaped the way GNU coreutils does, with a backslash before the whole line.
// A path that is only "-", which sha256sum would take for its standard input,
// becomes "./-".
func AppendSumLine(b []byte, sum [32]byte, path string) []byte {
	if path == "-" {
		path = "./-"
	}
	start := len(b)
	b = append(b, '\\')
	b = hex.AppendEncode(b, sum[:])
	b = append(b, "  "...)
	escaped := false
	for i := range len(path) {
		switch c := path[i]; c {
		case '\\':
			b, escaped = append(b, `\\`...), true
		case '\n':
			b, escaped = append(b, `\n`...), true
		case '\r':
			b, escaped = append(b, `\r`...), true
		default:
			b = append(b, c)
		}
	}
	if !escaped {
		b = append(b[:start], b[start+1:]...)
	}
	return append(b, '\n')
}
