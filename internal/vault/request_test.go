package vault

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
)

// serving settles the vault again and again, as a receiver does, until the test
// lets it go.
func (g *store) serving() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(5 * time.Millisecond):
				g.v.Settle(true)
			}
		}
	}()
	return func() { close(quit); <-done }
}

func note(detail string) Request {
	data, _ := json.Marshal(NoteRequest{Event: event.DrillPassed, Detail: detail})
	return Request{Action: ActionNote, Snapshot: "prod/etc/2030-01-01T000000Z.000001", Detail: data}
}

func TestRequestIsServedByTheHolderOrDoneAlone(t *testing.T) {
	g := newStore(t)
	stop := g.serving()
	if err := Ask(t.Context(), g.dir, Options{}, note("by the holder"), nil); err != nil {
		t.Fatal(err)
	}
	stop()
	g.close()
	if err := Ask(t.Context(), g.dir, Options{}, note("alone"), nil); err != nil {
		t.Fatal(err)
	}
	if got := g.events(); len(got) != 2 || got[0] != event.DrillPassed || got[1] != event.DrillPassed {
		t.Fatalf("events %v", got)
	}
	if left, err := os.ReadDir(filepath.Join(g.dir, ".weir", "requests")); err != nil || len(left) > 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
	if st, err := os.Stat(filepath.Join(g.dir, ".weir", "requests")); err != nil || st.Mode().Perm() != 0o700 {
		t.Fatalf("requests has mode %v, %v", st.Mode(), err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	g := newStore(t)
	defer g.serving()()
	big := note(strings.Repeat("x", maxNote+1))
	other := note("x")
	other.Detail = json.RawMessage(`{"event":"snapshot-whole","detail":"forged"}`)
	place := note("x")
	place.Snapshot = "../../etc"
	for name, r := range map[string]Request{
		"unknown": {Action: "format"}, "empty": {}, "long text": big, "an event of the vault's own": other, "a place": place,
	} {
		if err := Ask(t.Context(), g.dir, Options{}, r, nil); err == nil {
			t.Errorf("%s: it was carried out", name)
		}
	}
	dir := filepath.Join(g.dir, ".weir", "requests")
	for name, text := range map[string]string{
		"a": `{"action":"note","more":1}`, "b": "", "c": `{"action":"note"`, "d": strings.Repeat(" ", maxRequest+1), "e": "null", "f": `{"detail":7}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+askSuffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var data []byte
		for end := time.Now().Add(5 * time.Second); len(data) == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			data, _ = os.ReadFile(filepath.Join(dir, name+answerSuffix))
		}
		var a Answer
		if err := json.Unmarshal(data, &a); err != nil || a.Error == "" {
			t.Errorf("%.30q: answer %s, %v", text, data, err)
		}
	}
	if got := g.events(); len(got) != 0 {
		t.Errorf("events %v", got)
	}
}

func TestRequestWithoutAnswer(t *testing.T) {
	g := newStore(t) // holds the vault and never settles
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := Ask(ctx, g.dir, Options{}, note("x"), nil); !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Join(g.dir, ".weir", "requests")); err != nil || len(left) > 0 {
		t.Fatalf("the request was not taken back: %v, %v", left, err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"action":"note","snapshot":"prod/etc/2030-01-01T000000Z.000001","detail":{"event":"drill-passed"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := &Vault{} // refusals must not need a vault
		if !json.Valid(data) {
			if a := v.answerTo(data, nil); a.Error == "" {
				t.Fatalf("%q was carried out", data)
			}
		}
	})
}
