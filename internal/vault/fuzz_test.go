package vault

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzMap reads the map of a partial object in every state that a disk can leave
// it in: what it says is there must be a set of ranges.
func FuzzMap(f *testing.F) {
	f.Add([]byte(`{"held":[[0,10],[20,30]],"end":{"size":30,"sha256":"00","holes":[[10,10]]}}`))
	f.Add([]byte(`{"held":[[0,10],[5,30]]}`))
	f.Add([]byte(`{"held":[[-1,10]],"end":{"size":-5,"sha256":"` + Hash{}.String() + `","holes":[[9223372036854775807,9223372036854775807]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "object")
		if err := os.WriteFile(path+mapSuffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var o object
		if err := o.load(path); err != nil {
			t.Fatal(err)
		}
		if !o.held.valid() {
			t.Errorf("%v was taken for a set", o.held)
		}
	})
}

// FuzzEvents takes up an event log that a crash or a hand has damaged. What is
// there stays, but for a last line that is not whole, and the chain goes on.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-11-23T01:00:00Z","event":"snapshot-whole","previous":""}` + "\n"))
	f.Add([]byte(`{"seq":1,"time":"2026-11-23T01:00:00Z","event":"snapshot-whole","previous":""}` + "\n" + `{"seq":2,"ti`))
	f.Add([]byte("\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		d := realDisk()
		l, err := openEvents(path, &d)
		if err != nil {
			return
		}
		defer l.close()
		if err := l.add(Event{Event: "added"}); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept := data[:bytes.LastIndexByte(data, '\n')+1]
		if line, before := lastLine(kept); len(kept) == len(data) && len(line) > 0 && !parses(line) {
			kept = kept[:before] // a crash may leave a line with holes in it
		}
		if !bytes.HasPrefix(after, kept) {
			t.Fatalf("%q became %q", data, after)
		}
		var e Event
		if err := json.Unmarshal(after[len(kept):], &e); err != nil || e.Event != "added" {
			t.Fatalf("%q was added: %v", after[len(kept):], err)
		}
	})
}

// FuzzName: a name that is taken for a restore point's is the one that it has.
func FuzzName(f *testing.F) {
	f.Add("2026-11-23T010000Z.000042")
	f.Add("9999-12-31T235959Z.1000000000000000")
	f.Add("2026-11-23T010000Z.-1")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := parseName("prod", "etc", name)
		if err == nil && (s.Name() != name || filepath.Base(name) != name || s.check() != nil) {
			t.Errorf("%q was taken for %+v", name, s)
		}
		cutRef(name)
	})
}
