package config

import (
	"strings"
	"unicode/utf8"
)

// line finds the line on which a key stands, counted from 1, for error
// messages; 0 where the key is written in a form that this simple look does
// not understand. The TOML library tells no positions of keys in arrays of
// tables. For a key that is missing it is the line of the table's head.
func (d *document) line(tableName string, index int, key string) int {
	current, seen, head := "", -1, 0
	for i, line := range strings.Split(string(d.data), "\n") {
		line = strings.TrimSpace(line)
		if name, ok := tableHead(line); ok {
			current = name
			if name == tableName {
				seen++
				if seen == index {
					head = i + 1
				}
			}
			continue
		}
		here := current == tableName && (tableName == "" || seen == index)
		if here && keyOf(line) == key {
			return i + 1
		}
	}
	return head
}

// invalidLine returns the first line that is not UTF-8.
func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		data = data[n:]
	}
	return line
}

// tableHead returns the name in "[name]" or "[[name]]".
func tableHead(line string) (string, bool) {
	if !strings.HasPrefix(line, "[") {
		return "", false
	}
	name, _, ok := strings.Cut(strings.TrimLeft(line, "["), "]")
	return strings.TrimSpace(name), ok
}

// keyOf returns the key in `key = value`.
func keyOf(line string) string {
	if strings.HasPrefix(line, "#") {
		return ""
	}
	key, _, ok := strings.Cut(line, "=")
	if !ok {
		return ""
	}
	return strings.Trim(strings.TrimSpace(key), `"'`)
}

// nearest returns the known key that is at most two typing errors away.
func nearest(key string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(key, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's, over bytes; keys are short.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
