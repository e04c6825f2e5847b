package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

var (
	taken  = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	header = Header{Sender: "prod", Source: "etc", Number: 42, Taken: taken, Previous: [32]byte{1}, Roots: []string{"/etc", "/ö"}, Tool: "weir-send test"}
	key    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
)

func file(path string, size int64) *Entry {
	e := &Entry{Path: path, Kind: File, Size: size, SHA256: empty, Mode: 0o644, ModTime: taken}
	if size > 0 {
		e.SHA256, e.Object = sha256.Sum256([]byte(path)), [16]byte{1, 2}
	}
	return e
}

func dir(path string) *Entry {
	return &Entry{Path: path, Kind: Dir, Mode: 0o755, ModTime: taken}
}

// entries holds every kind and every awkward thing, in path order.
func entries() []*Entry {
	odd := file("a/b\xff\xfe", 1<<40)
	odd.Xattrs = map[string][]byte{"user.x": {0, 1}, "user.a": nil, "user.\xff": []byte("v")}
	odd.Holes = [][2]int64{{0, 4096}, {8192, 1}}
	odd.Mode, odd.UID, odd.User, odd.Group = 0o6755, 4294967295, "wwwrun", "\"g\""
	broken := file("a/z", 0)
	broken.SHA256, broken.Size, broken.Problem = [32]byte{}, 77, "unreadable: permission denied"
	return []*Entry{
		file("a-", 0), // '-' is below '/' in ASCII, above it in path order
		dir("b"), file("b/ leading", 3), file("b/-dash", 3),
		{Path: "b/link", Kind: Symlink, Target: "../\xffx\n", Mode: 0o777, ModTime: taken},
		file("b/new\nline\r\t\"\\\x01\x7f\u2028", 5), {Path: "b/z", Kind: Hardlink, Target: "a-"},
		file("b-", 9),
		odd, broken,
	}
}

func write(t testing.TB, list []*Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := w.Add(e); err != nil {
			t.Fatalf("Add(%q): %v", e.Path, err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Sum() != sha256.Sum256(b.Bytes()) || w.Digest() != sha512.Sum512(b.Bytes()) {
		t.Error("the writer's hashes are not those of the file")
	}
	return b.Bytes()
}

func readAll(b []byte) (*Reader, []*Entry, error) {
	r, err := NewReader(bytes.NewReader(b), Limits{})
	if err != nil {
		return nil, nil, err
	}
	var list []*Entry
	for {
		e, err := r.Next()
		if err == io.EOF {
			return r, list, nil
		}
		if err != nil {
			return r, list, err
		}
		list = append(list, e)
	}
}

func sorted(list []*Entry) []*Entry {
	for i := range list {
		for j := i; j > 0 && ComparePath(list[j-1].Path, list[j].Path) > 0; j-- {
			list[j-1], list[j] = list[j], list[j-1]
		}
	}
	return list
}

func TestRoundTrip(t *testing.T) {
	want := sorted(append(entries(), dir("a")))
	b := write(t, want)
	r, got, err := readAll(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if !reflect.DeepEqual(r.Header(), header) {
		t.Errorf("header = %+v, want %+v", r.Header(), header)
	}
	for i := range want {
		if len(want[i].Xattrs) > 0 {
			want[i].Xattrs["user.a"] = []byte{} // an empty value comes back as one
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("entry %d\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
	trailer := Trailer{Entries: 11, Files: 8, Bytes: 1<<40 + 97, Problems: 1}
	if r.Trailer() != trailer {
		t.Errorf("trailer = %+v, want %+v", r.Trailer(), trailer)
	}
	if r.Sum() != sha256.Sum256(b) || r.Digest() != sha512.Sum512(b) {
		t.Error("the reader's hashes are not those of the file")
	}
}

func TestLinesAreJSON(t *testing.T) {
	b := write(t, sorted(append(entries(), dir("a"))))
	for line := range bytes.Lines(b) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		if p, ok := v["path"].(string); ok && strings.HasPrefix(p, "b/new") && p != "b/new\nline\r\t\"\\\x01\x7f\u2028" {
			t.Errorf("encoding/json reads the path as %q", p)
		}
	}
}

func TestReaderErrorStays(t *testing.T) {
	r, err := NewReader(strings.NewReader(strings.Replace(sample(t), `"uid":0`, `"uid":x`, 1)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, first := r.Next()
	if _, second := r.Next(); first == nil || second != first {
		t.Errorf("Next after an error = %v, want %v", second, first)
	}
}

func TestWriterRefusesAndGoesOn(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(file("f", 1)); err != nil {
		t.Fatal(err)
	}
	noSum := file("g", 1)
	noSum.SHA256 = [32]byte{}
	for _, e := range []*Entry{file("../x", 1), file("f", 1), file("e", 1), file("f/x", 1), file("g", -1), noSum, {Path: "g", Kind: "fifo"}} {
		if err := w.Add(e); err == nil {
			t.Errorf("Add(%q) = nil, want an error", e.Path)
		}
	}
	if err := w.Add(file("g", MaxSize)); !errors.Is(err, ErrLimit) {
		t.Errorf("Add beyond 2^62 bytes in all = %v, want ErrLimit", err)
	}
	if err := w.Add(file("g", 1)); err != nil {
		t.Fatal(err)
	}
	if trailer, err := w.Close(); err != nil || trailer.Entries != 2 {
		t.Errorf("Close = %+v, %v, want 2 entries", trailer, err)
	}
	if _, list, err := readAll(b.Bytes()); err != nil || len(list) != 2 {
		t.Errorf("%d entries, %v, want 2", len(list), err)
	}
}

func TestWriterFits(t *testing.T) {
	e := file("f", 0)
	e.User, e.Group = "a\xffb", strings.Repeat("ä", MaxOwner)
	e.ModTime = time.Unix(1<<55, 5)
	e.Problem = strings.Repeat("é", MaxProblem)
	link := &Entry{Path: "g", Kind: Hardlink, Target: "f", Size: 9, Mode: 0o644, ModTime: taken}
	_, list, err := readAll(write(t, []*Entry{e, link}))
	if err != nil {
		t.Fatal(err)
	}
	got := list[0]
	if got.User != "a\ufffdb" || len(got.Group) != MaxOwner || len(got.Problem) != MaxProblem || !got.ModTime.Equal(lastTime) {
		t.Errorf("read back %+v", got)
	}
	if want := (Entry{Path: "g", Kind: Hardlink, Target: "f"}); !reflect.DeepEqual(*list[1], want) {
		t.Errorf("hard link read back as %+v", list[1])
	}
}

// The largest legal entry must pass the default limit of a line.
func TestLargestEntryFits(t *testing.T) {
	e := file(strings.Repeat(strings.Repeat("\x01", MaxComponent)+"/", MaxPath/(MaxComponent+1)), MaxSize)
	e.Path = e.Path[:len(e.Path)-1]
	e.User, e.Group, e.Problem = strings.Repeat("\x01", MaxOwner), strings.Repeat("\x01", MaxOwner), strings.Repeat("\x01", MaxProblem)
	for i := range MaxHoles {
		e.Holes = append(e.Holes, [2]int64{MaxSize/2 + int64(i)*1e9, 1e9 - 1})
	}
	e.Xattrs = map[string][]byte{}
	for i := range MaxXattrNames / MaxXattrName {
		e.Xattrs[fmt.Sprintf("%s%04d", strings.Repeat("\x01", MaxXattrName-4), i)] = make([]byte, MaxXattrs/(MaxXattrNames/MaxXattrName))
	}
	b := write(t, []*Entry{e})
	_, list, err := readAll(b)
	if err != nil {
		t.Fatalf("a manifest of %d bytes: %v", len(b), err)
	}
	if !reflect.DeepEqual(list[0], e) {
		t.Error("the entry did not come back as it was")
	}
}

func TestReaderLimits(t *testing.T) {
	b := write(t, []*Entry{file("a", 1), file("b", 1)})
	r, err := NewReader(bytes.NewReader(b), Limits{Entries: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Next()
	if _, err := r.Next(); !errors.Is(err, ErrLimit) {
		t.Errorf("second entry of one allowed: %v, want ErrLimit", err)
	}
	if _, err := NewReader(bytes.NewReader(b), Limits{Line: 50}); !errors.Is(err, ErrLimit) {
		t.Errorf("line over 50 bytes: %v, want ErrLimit", err)
	}
	endless := io.MultiReader(bytes.NewReader(b[:300]), zeros{})
	r, err = NewReader(endless, Limits{})
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, ErrLimit) {
		t.Errorf("an endless line: %v, want ErrLimit", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func FuzzManifestReader(f *testing.F) {
	good := sample(f)
	f.Add([]byte(good))
	f.Add(write(f, sorted(append(entries(), dir("a")))))
	for _, m := range mutations() {
		f.Add([]byte(m.change(good)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, list, err := readAll(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		w, err := NewWriter(&again, r.Header())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if err := w.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Errorf("a manifest that the reader takes is written otherwise (%v)", err)
		}
	})
}
