package report

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/internal/status"
	"weir/internal/vault"
	"weir/protocol"
)

// host is a vault and somebody who reports about it.
type host struct {
	t     *testing.T
	dir   string
	now   time.Time
	log   bytes.Buffer
	notes []string
	r     *Reporter
}

func newHost(t *testing.T) *host {
	h := &host{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	if err := vault.Create(h.dir); err != nil {
		t.Fatal(err)
	}
	h.start()
	return h
}

func (h *host) start() {
	h.t.Helper()
	r, err := New(Config{
		Vault: h.dir, Dir: filepath.Join(h.dir, "status"), Every: 5 * time.Second, Senders: []string{"prod"},
		Rule:   func(string, string) expectation.Rule { return expectation.Rule{Every: time.Hour, NotWhole: time.Hour} },
		Expect: []Name{{"prod", "etc"}}, Limits: expectation.Limits{Silent: time.Hour, Skew: time.Minute, Full: 24 * time.Hour},
		Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Log: zerolog.New(&h.log), Now: func() time.Time { return h.now },
		Note: func(name, detail string) { h.notes = append(h.notes, name+" "+detail) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.r = r
}

// look lets time pass and returns what the files then say, and what was logged.
func (h *host) look(d time.Duration, f Facts) (*status.Status, string) {
	h.t.Helper()
	h.now = h.now.Add(d)
	h.log.Reset()
	h.r.Look(f)
	s, err := status.Read(filepath.Join(h.dir, "status"))
	if err != nil {
		h.t.Fatal(err)
	}
	return s, h.log.String()
}

func events(log string) (names []string) {
	for line := range strings.Lines(log) {
		var e struct{ Event string }
		if json.Unmarshal([]byte(line), &e) == nil {
			names = append(names, e.Event)
		}
	}
	return names
}

// want holds a log against the events that it should hold.
func (h *host) want(log string, want ...string) {
	h.t.Helper()
	if got := strings.Join(events(log), " "); got != strings.Join(want, " ") {
		h.t.Errorf("%q was logged, want %q", got, want)
	}
}

func TestEachDayIsAttestedAlsoWhenNothingCame(t *testing.T) {
	h := newHost(t)
	heard := Facts{Heard: map[string]time.Time{"prod": h.now}}
	s, log := h.look(0, heard)
	h.want(log, "attestation")
	if s.Sources[0].Overdue {
		t.Error("what is expected once a day is overdue at the start of the watching")
	}
	_, log = h.look(time.Minute, heard)
	h.want(log)
	s, log = h.look(12*time.Hour, heard) // past midnight
	h.want(log, "source-overdue", "link-silent", "attestation")
	if s.Attested != "2026-11-25" || len(s.Alarms) != 2 || !s.Sources[0].Overdue {
		t.Errorf("%+v", s)
	}
	text, err := os.ReadFile(filepath.Join(h.dir, ".weir", "attestations", "2026-11-25.json"))
	if err != nil || !bytes.Contains(text, []byte("source-overdue")) || !bytes.Contains(text, []byte(`"newest": ""`)) {
		t.Errorf("%s, %v", text, err)
	}
	if len(h.notes) != 4 || !strings.HasPrefix(h.notes[2], "link-silent prod: ") {
		t.Errorf("%q", h.notes)
	}
}

func TestRestartsRemember(t *testing.T) {
	h := newHost(t)
	links := []linkquality.Link{{Sender: "prod", Rate: 1e9, Geometry: protocol.Geometry{K: 200, M: 20, Depth: 10, Symbol: 1408}, Counts: linkquality.Counts{Received: 1000, Lost: 7, Longest: 7}}}
	h.look(0, Facts{Links: links, Heard: map[string]time.Time{"prod": h.now}})
	_, log := h.look(2*time.Hour, Facts{Links: links})
	h.want(log, "source-overdue", "link-silent")
	if err := h.r.Close(); err != nil {
		t.Fatal(err)
	}
	h.start()
	s, log := h.look(time.Minute, Facts{})
	h.want(log)
	if len(s.Alarms) != 2 || s.Senders[0].Day.Lost != 7 || s.Senders[0].Heard.IsZero() {
		t.Errorf("%+v, %+v", s.Alarms, s.Senders)
	}
	// A damaged memory costs what it held, and nothing else.
	if err := os.WriteFile(filepath.Join(h.dir, ".weir", "report", "alarms.json"), []byte("{]"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.log.Reset()
	h.start()
	h.want(h.log.String(), "status-failed")
	if s, _ = h.look(time.Minute, Facts{}); s.Senders[0].Day.Lost != 7 {
		t.Errorf("%+v", s.Senders[0].Day)
	}
}

// A silent lane is an alarm, noted when it begins, and ends in words. The lane
// itself is in the status.
func TestSilentLane(t *testing.T) {
	h := newHost(t)
	geo := protocol.Geometry{K: 200, M: 20, Depth: 10, Symbol: 1408}
	// Loss that no parity here bridges, in one piece and scattered: two advices.
	counts := linkquality.Counts{Received: 100000, Lost: 60000, Longest: 10000}
	counts.Bursts[0] = 50000
	f := Facts{
		Links: []linkquality.Link{{Sender: "prod", Rate: 1e9, Geometry: geo, Counts: counts}, {Sender: "prod lane 2", Rate: 5e8, Geometry: geo, Counts: counts}},
		Lanes: map[string][]expectation.Lane{"prod": {{Name: "prod lane 1", Known: true}, {Name: "prod lane 2", Known: true, Silent: true}}},
	}
	f.Heard = map[string]time.Time{"prod": h.now}
	s, log := h.look(0, f)
	if strings.Contains(log, "lane-silent") || !strings.Contains(strings.Join(h.notes, "\n"), "lane-silent prod lane 2: nothing came over this lane") {
		t.Errorf("the receiver logged it: %s\n%q", log, h.notes)
	}
	if len(s.Senders) != 1 || len(s.Senders[0].Lanes) != 1 || s.Senders[0].Lanes[0].Day.Lost != 60000 {
		t.Errorf("%+v", s.Senders)
	}
	var margin string
	for _, a := range s.Alarms {
		if a.Event == "link-margin" {
			margin = a.Text
		}
	}
	if !strings.Contains(margin, "longest outage") || !strings.Contains(margin, "; scattered loss") {
		t.Errorf("not all advices: %s", margin)
	}
	f.Lanes["prod"][1].Silent = false
	if _, log = h.look(time.Minute, f); !strings.Contains(log, `"alarm":"lane-silent"`) {
		t.Errorf("it does not end: %s", log)
	}
}

func TestWhatIsNotWholeIsTold(t *testing.T) {
	h := newHost(t)
	v, err := vault.Open(h.dir, vault.Options{Log: zerolog.Nop(), Now: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Touch(vault.Snapshot{Sender: "prod", Source: "db", Number: 3, Taken: h.now}); err != nil {
		t.Fatal(err)
	}
	heard := func() Facts { return Facts{Heard: map[string]time.Time{"prod": h.now}} }
	moving := heard()
	moving.Moving = []status.Transfer{{Snapshot: "prod/db/2026-11-24T120000Z.000003", Bytes: 5}}
	if s, _ := h.look(0, moving); len(s.Missing) != 0 || len(s.Moving) != 1 || s.Sources[0].Source != "db" || s.Sources[0].Partial != 1 {
		t.Errorf("while it arrives: %+v", s)
	}
	s, log := h.look(61*time.Minute, heard())
	if len(s.Missing) != 1 || s.Missing[0].Manifest || s.Missing[0].Snapshot != "prod/db/2026-11-24T120000Z.000003" || s.Missing[0].Code == "" {
		t.Errorf("%+v", s.Missing)
	}
	if !strings.Contains(log, `"event":"source-not-whole","subject":"prod/db"`) {
		t.Error(log)
	}
	manifest := filepath.Join(h.dir, ".weir/pending", s.Missing[0].Snapshot, "manifest.jsonl")
	if err := os.WriteFile(manifest, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, _ := h.look(time.Minute, heard()); len(s.Missing) != 1 || !s.Missing[0].Building || s.Missing[0].Code != "" {
		t.Errorf("while it is built somebody is asked to send it again: %+v", s.Missing)
	}
}

// What still comes of a snapshot that is whole is a later pass.
func TestWholeArrivesNoMore(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	infos := []vault.Info{
		{Sender: "prod", Source: "db", Number: 1, Taken: at, State: vault.Whole},
		{Sender: "prod", Source: "db", Number: 2, Taken: at, State: vault.Partial},
	}
	all := []status.Transfer{{Snapshot: infos[0].Snapshot().Ref()}, {Snapshot: infos[1].Snapshot().Ref()}, {Snapshot: "prod/db/of which nothing is known"}}
	if got := arriving(slices.Clone(all), infos); !slices.Equal(got, all[1:]) {
		t.Errorf("%+v", got)
	}
}

// A directory that cannot be written is told once, not every few seconds.
func TestTroubleIsToldOnce(t *testing.T) {
	h := newHost(t)
	h.look(0, Facts{})
	if err := os.RemoveAll(filepath.Join(h.dir, "status")); err != nil {
		t.Fatal(err)
	}
	h.log.Reset()
	for range 3 {
		h.r.Look(Facts{})
	}
	h.want(h.log.String(), "status-failed")
}
