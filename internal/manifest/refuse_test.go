package manifest

import (
	"errors"
	"strings"
	"testing"
)

// mutations turn a good manifest into bad ones.
func mutations() map[string]struct {
	change func(string) string
	want   error
} {
	type m = struct {
		change func(string) string
		want   error
	}
	swap := func(old, new string, want error) m {
		return m{func(s string) string { return strings.Replace(s, old, new, 1) }, want}
	}
	line := func(insert string, want error) m { return swap(`{"path":"m/x"`, insert+"\n"+`{"path":"m/x"`, want) }
	attrs := `,"mode":"0755","uid":0,"gid":0,"mtime":"2026-11-23T01:00:00.000000000Z"}`
	long := strings.Repeat("x", 256)
	return map[string]m{
		"dots":                swap(`"path":"m/x"`, `"path":"m/../x"`, ErrPath),
		"dot":                 swap(`"path":"m/x"`, `"path":"m/./x"`, ErrPath),
		"absolute":            swap(`"path":"m/x"`, `"path":"/m/x"`, ErrPath),
		"empty component":     swap(`"path":"m/x"`, `"path":"m//x"`, ErrPath),
		"trailing slash":      swap(`"path":"m/x"`, `"path":"m/x/"`, ErrPath),
		"NUL":                 swap(`"path":"m/x"`, `"path":"m/\u0000"`, ErrPath),
		"empty path":          swap(`"path":"m/x"`, `"path":""`, ErrPath),
		"long component":      swap(`"path":"m/x"`, `"path":"m/`+long+`"`, ErrPath),
		"no path":             swap(`"path":"m/x",`, ``, ErrManifest),
		"twice":               line(`{"path":"m","kind":"dir"`+attrs, ErrOrder),
		"out of order":        line(`{"path":"a","kind":"dir"`+attrs, ErrOrder),
		"below a file":        swap(`"path":"m/y"`, `"path":"m/x/y"`, ErrOrder),
		"below a symlink":     swap(`"path":"m/z","kind":"hardlink"`, `"path":"m/y/z","kind":"hardlink"`, ErrOrder),
		"hard link ahead":     swap(`"target":"m/x"}`, `"target":"n"}`, ErrManifest),
		"hard link to itself": swap(`"target":"m/x"}`, `"target":"m/z"}`, ErrManifest),
		"hard link outside":   swap(`"target":"m/x"}`, `"target":"../x"}`, ErrManifest),
		"hard link mode":      swap(`"target":"m/x"}`, `"target":"m/x","mode":"0644"}`, ErrManifest),
		"symlink NUL":         swap(`"target":"q"`, `"target":"q\u0000"`, ErrManifest),
		"symlink empty":       swap(`"target":"q"`, `"target":""`, ErrManifest),
		"symlink long":        swap(`"target":"q"`, `"target":"`+strings.Repeat("q", MaxTarget+1)+`"`, ErrManifest),
		"negative size":       swap(`"size":5`, `"size":-5`, ErrManifest),
		"size 2^63":           swap(`"size":5`, `"size":9223372036854775808`, ErrManifest),
		"size over 2^62":      swap(`"size":5`, `"size":4611686018427387905`, ErrManifest),
		"size float":          swap(`"size":5`, `"size":5.0`, ErrManifest),
		"size leading zero":   swap(`"size":5`, `"size":05`, ErrManifest),
		"unknown field":       swap(`"size":5`, `"size":5,"color":1`, ErrManifest),
		"repeated field":      swap(`"size":5`, `"size":5,"size":5`, ErrManifest),
		"white space":         swap(`"size":5`, `"size": 5`, ErrManifest),
		"capital key":         swap(`"size":5`, `"Size":5`, ErrManifest),
		"upper hex":           swap(`"object":"0a`, `"object":"0A`, ErrManifest),
		"bad hex":             swap(`"object":"0a`, `"object":"0g`, ErrManifest),
		"short hex":           swap(`"object":"0a`, `"object":"`, ErrManifest),
		"zero object":         swap(`"object":"0a`, `"object":"00`, ErrManifest),
		"no object":           swap(`,"object":"0a000000000000000000000000000000"`, ``, ErrManifest),
		"unknown kind":        swap(`"kind":"dir"`, `"kind":"fifo"`, ErrManifest),
		"directory with size": swap(`"kind":"dir"`, `"kind":"dir","size":1`, ErrManifest),
		"mode 8":              swap(`"mode":"0755"`, `"mode":"0758"`, ErrManifest),
		"mode long":           swap(`"mode":"0755"`, `"mode":"10755"`, ErrManifest),
		"uid 2^32":            swap(`"uid":0`, `"uid":4294967296`, ErrManifest),
		"day 30 of February":  swap(`-11-23T01`, `-02-30T01`, ErrManifest),
		"entry time":          swap(`"mtime":"2026-11-23T01:00:00.0`, `"mtime":"2026-11-23T25:00:00.0`, ErrManifest),
		"time zone":           swap(`"mtime":"2026-11-23T01:00:00.000000000Z"`, `"mtime":"2026-11-23T01:00:00+01:00"`, ErrManifest),
		"time sign":           swap(`"mtime":"2026`, `"mtime":"-026`, ErrManifest),
		"escaped slash":       swap(`"path":"m/x"`, `"path":"m\/x"`, ErrManifest),
		"escaped letter":      swap(`"path":"m/x"`, `"path":"m/\u0078"`, ErrManifest),
		"needless base64":     swap(`"path":"m/x"`, `"path64":"bS94"`, ErrManifest),
		"raw bytes":           swap(`"path":"m/x"`, "\"path\":\"m/x\xff\"", ErrManifest),
		"raw control":         swap(`"path":"m/x"`, "\"path\":\"m/x\x01\"", ErrManifest),
		"hole outside":        swap(`"holes":[[0,4]]`, `"holes":[[2,4]]`, ErrManifest),
		"hole overflow":       swap(`"holes":[[0,4]]`, `"holes":[[4,9223372036854775807]]`, ErrManifest),
		"holes touch":         swap(`"holes":[[0,4]]`, `"holes":[[0,2],[2,1]]`, ErrManifest),
		"hole empty":          swap(`"holes":[[0,4]]`, `"holes":[[0,0]]`, ErrManifest),
		"no holes":            swap(`"holes":[[0,4]]`, `"holes":[]`, ErrManifest),
		"xattr twice":         swap(`"user.x":"AAE="`, `"user.x":"AAE=","user.x":"AAE="`, ErrManifest),
		"xattr order":         swap(`"user.x":"AAE="`, `"user.x":"AAE=","user.a":"AAE="`, ErrManifest),
		"xattr long name":     swap(`"user.x"`, `"user.`+long+`"`, ErrManifest),
		"xattr base64":        swap(`"AAE="`, `"AAF="`, ErrManifest),
		"xattr NUL":           swap(`"user.x"`, `"user.\u0000"`, ErrManifest),
		"totals":              swap(`"files":2`, `"files":3`, ErrManifest),
		"trailer twice": {func(s string) string {
			return s + "{\"end\":true,\"entries\":4,\"files\":2,\"bytes\":5,\"problems\":0}\n"
		}, ErrManifest},
		"a byte more":  {func(s string) string { return s + "\n" }, ErrManifest},
		"last newline": {func(s string) string { return s[:len(s)-1] }, ErrManifest},
		"no trailer":   {func(s string) string { return s[:strings.LastIndex(s, `{"end"`)] }, ErrManifest},
		"version":      swap(`"version":1`, `"version":2`, ErrManifest),
		"sender":       swap(`"sender":"prod"`, `"sender":".weir"`, ErrManifest),
		"source":       swap(`"source":"etc"`, `"source":"../etc"`, ErrManifest),
		"header UTF-8": swap(`"tool":"`, "\"tool\":\"\xff", ErrManifest),
		"empty line":   line("", ErrManifest),
		"CR":           swap("\n", "\r\n", ErrManifest),
	}
}

func sample(t testing.TB) string {
	x := file("m/x", 5)
	x.Object = [16]byte{10}
	x.Xattrs = map[string][]byte{"user.x": {0, 1}}
	x.Holes = [][2]int64{{0, 4}}
	return string(write(t, []*Entry{
		dir("m"), x, {Path: "m/y", Kind: Symlink, Target: "q", Mode: 0o777, ModTime: taken}, {Path: "m/z", Kind: Hardlink, Target: "m/x"},
	}))
}

func TestReaderRefuses(t *testing.T) {
	good := sample(t)
	if _, _, err := readAll([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, m := range mutations() {
		bad := m.change(good)
		if bad == good {
			t.Errorf("%s: the mutation changes nothing", name)
		}
		if _, _, err := readAll([]byte(bad)); !errors.Is(err, m.want) {
			t.Errorf("%s: error %v, want %v", name, err, m.want)
		}
	}
}

func TestReaderRefusesEveryCut(t *testing.T) {
	good := sample(t)
	for n := range len(good) {
		if _, _, err := readAll([]byte(good[:n])); !errors.Is(err, ErrManifest) {
			t.Errorf("cut at %d: error %v, want ErrManifest", n, err)
		}
	}
}
