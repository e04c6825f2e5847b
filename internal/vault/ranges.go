package vault

import (
	"slices"
	"sort"
)

// maxRanges bounds the separate ranges that are kept of one object. A hostile
// sender could make every other byte one.
const maxRanges = 1 << 16

// ranges is a set of byte ranges: offset and end of each, ascending, apart.
type ranges [][2]int64

// add puts from..end into the set. It returns false, and leaves the set alone,
// where that would make it longer than maxRanges.
func (r *ranges) add(from, end int64) bool {
	s := *r
	i := sort.Search(len(s), func(i int) bool { return s[i][1] >= from })
	j := i
	for ; j < len(s) && s[j][0] <= end; j++ {
		from, end = min(from, s[j][0]), max(end, s[j][1])
	}
	if i == j && len(s) >= maxRanges {
		return false
	}
	*r = slices.Replace(s, i, j, [2]int64{from, end})
	return true
}

// remove takes from..end out of the set. A set that this would make longer than
// maxRanges loses what is behind too.
func (r *ranges) remove(from, end int64) {
	s := *r
	i := sort.Search(len(s), func(i int) bool { return s[i][1] > from })
	j := sort.Search(len(s), func(i int) bool { return s[i][0] >= end })
	if i >= j || from >= end {
		return
	}
	var rest ranges
	if s[i][0] < from {
		rest = append(rest, [2]int64{s[i][0], from})
	}
	if s[j-1][1] > end {
		rest = append(rest, [2]int64{end, s[j-1][1]})
	}
	s = slices.Replace(slices.Clone(s), i, j, rest...)
	*r = s[:min(len(s), maxRanges)]
}

// lacking returns the parts of from..end that are not in the set.
func (r ranges) lacking(from, end int64) ranges {
	var out ranges
	i := sort.Search(len(r), func(i int) bool { return r[i][1] > from })
	for ; from < end; i++ {
		if i == len(r) || r[i][0] >= end {
			return append(out, [2]int64{from, end})
		}
		if from < r[i][0] {
			out = append(out, [2]int64{from, r[i][0]})
		}
		from = r[i][1]
	}
	return out
}

func (r ranges) holds(from, end int64) bool { return len(r.lacking(from, end)) == 0 }

// end returns the end of the last range.
func (r ranges) end() int64 {
	if len(r) == 0 {
		return 0
	}
	return r[len(r)-1][1]
}

// total returns how many bytes are in the set.
func (r ranges) total() (n int64) {
	for _, x := range r {
		n += x[1] - x[0]
	}
	return n
}

// valid reports whether a set that came from a file is one.
func (r ranges) valid() bool {
	last := int64(-1)
	for _, x := range r {
		if x[0] <= last || x[1] <= x[0] {
			return false
		}
		last = x[1]
	}
	return len(r) <= maxRanges
}
