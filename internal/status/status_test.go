package status

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestFilesAreReplacedAsAWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "status")
	if _, err := Read(dir); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	want := sample()
	for range 2 {
		if err := Write(dir, want); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{JSONFile, PromFile, HTMLFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o644 || info.Size() == 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("%d files, %v", len(left), err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want.Missing[0].First[1].Path = strings.ToValidUTF8(want.Missing[0].First[1].Path, "\uFFFD") // as JSON writes it
	if !reflect.DeepEqual(got.Sources, want.Sources) || !reflect.DeepEqual(got.Missing, want.Missing) || !reflect.DeepEqual(got.Alarms, want.Alarms) {
		t.Error("what was read is not what was written")
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	text, err := json.Marshal(Status{Version: Version + 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{string(text), "{", ""} {
		if err := os.WriteFile(filepath.Join(dir, JSONFile), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil {
			t.Errorf("%.20q was read", content)
		}
	}
}

// Each line is what the format allows, whatever names the link brought.
func TestPromIsWellFormed(t *testing.T) {
	s := sample()
	s.Sources[0].Source, s.Alarms[0].Subject = hostile, hostile
	var b bytes.Buffer
	WriteProm(&b, s)
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="([^"\\\n]|\\[\\n"])*",?)+\})? -?[0-9.]+)$`)
	seen := map[string]bool{}
	for l := range strings.Lines(b.String()) {
		l = strings.TrimSuffix(l, "\n")
		if !line.MatchString(l) {
			t.Errorf("%q", l)
		}
		if seen[l] {
			t.Errorf("twice: %q", l)
		}
		seen[l] = true
	}
	for _, want := range []string{
		`weir_source_newest_seconds{sender="prod",source="database-cluster-01"} 1795334400`,
		`weir_alarms 2`, `weir_link_narrow{sender="prod"} 1`, `weir_frames_dropped_total{reason="forged"} 2`,
		`weir_source_missing_bytes{sender="prod",source="database-cluster-01"} 5242880`,
	} {
		if !seen[want] {
			t.Errorf("%s is missing in:\n%.2000q", want, b.String())
		}
	}
}

// What Prometheus itself makes of the metrics, for all that may be in them.
func TestPrometheusHasNoComplaint(t *testing.T) {
	for name, s := range map[string]*Status{"sample": sample(), "crowd": crowd(), "empty": {}} {
		var b bytes.Buffer
		WriteProm(&b, s)
		problems, err := promlint.New(&b).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v %v", name, problems, err)
		}
	}
}

// Every metric is in the package comment, which is where people look.
func TestMetricsAreDocumented(t *testing.T) {
	comment, err := os.ReadFile("model.go")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	WriteProm(&b, sample())
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ([a-z_]+)`).FindAllStringSubmatch(b.String(), -1) {
		if !regexp.MustCompile(`(?m)^//\t.*\b` + m[1] + `\b`).Match(comment) {
			t.Errorf("%s is not in the package comment", m[1])
		}
	}
}

func htmlOf(t *testing.T, s *Status) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageEscapesEverything(t *testing.T) {
	s := sample()
	s.Host, s.Tool, s.Vault = hostile, hostile, hostile
	s.Sources[0].Source, s.Sources[0].Newest.Name, s.Missing[0].Snapshot, s.Missing[0].Code = hostile, hostile, hostile, hostile
	s.Moving[0].Snapshot, s.Senders[0].Name, s.Senders[0].Day.Advice = hostile, hostile, []string{hostile}
	s.Alarms[0].Text, s.Alarms[0].Subject, s.Receiver.Dropped[hostile] = hostile, hostile, 1
	page := htmlOf(t, s)
	for _, bad := range []string{"<script", "alert(1)</", "\x00"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// The page is alone in one file: it loads nothing and runs nothing.
func TestPageIsSelfContained(t *testing.T) {
	page := htmlOf(t, sample())
	page = strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, "") // a name, which nobody follows
	for _, bad := range []string{"http://", "https://", "<script", "src=", "url(", "@import", "javascript:", " onload"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if n := len(page); n > 400<<10 {
		t.Errorf("%d bytes", n)
	}
	for _, want := range []string{"Not as expected: 2 things", "branch-office-lisbon/home", "weir-send resend 7KX4", "raise burst to", "0.00018 %", "is full in 11 d", `<div class="qr"><svg`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// Tags are closed as they were opened.
func TestPageIsWellNested(t *testing.T) {
	for _, s := range []*Status{sample(), {Version: Version, Written: noon}} {
		d := xml.NewDecoder(strings.NewReader(strings.ReplaceAll(htmlOf(t, s), "<!DOCTYPE html>", "")))
		d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "link", "br"}, xml.HTMLEntity
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEmptyVaultHasAPage(t *testing.T) {
	page := htmlOf(t, &Status{Version: Version, Written: noon})
	for _, want := range []string{"All is as expected", "No source is known yet", "No sender is trusted yet", "0 sources, 0 restore points whole"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// The worst comes first, and what is not shown is counted.
func TestWorstFirst(t *testing.T) {
	page, last := htmlOf(t, crowd()), 0
	for _, want := range []string{
		"79 more alarms", "<h3>prod/mail</h3>", "<h3>prod/database-cluster-01</h3>", "76 more sources", "1 more snapshots",
		"<h3>branch-office-lisbon ", "<h3>branch-office-lisbon lane 1 ", "<h3>branch-office-lisbon lane 2 ",
	} {
		at := strings.Index(page, want)
		if at < last {
			t.Errorf("%q stands at %d, after %d", want, at, last)
		}
		last = max(at, last)
	}
	if s := crowd(); doubtful(s) != 2 {
		t.Errorf("%d are doubtful", doubtful(s))
	}
	if n := len(page); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
	var text bytes.Buffer
	WriteText(&text, crowd())
	for _, want := range []string{"SUSPICIOUS: 9,120 of 10,000 files changed", "SIGNED WITH A KEY THAT WAS REVOKED on 2026-11-23 12:00, 3 abandoned", "SILENT, heard 3 h ago"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in the text", want)
		}
	}
}
