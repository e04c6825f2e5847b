package sending

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func sample() *Status {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return &Status{
		Written: noon, Started: noon.Add(-time.Hour), Name: "prod", To: "10.77.0.2:4600", Rate: "900Mbit", Passes: 3,
		Link: Link{Wire: 5 << 30, Datagrams: 3e6, Refused: 2, Full: 7}, Spool: Spool{Objects: 12, Bytes: 1 << 20},
		Sources: []Source{
			{Name: "db", Every: time.Hour, Failed: "no such file"},
			{Name: "etc", Every: time.Hour, Snapshot: "prod/etc/2026-11-24T110000Z.000007", Number: 7, Taken: noon.Add(-time.Hour), Files: 321, Bytes: 4 << 20, Passes: 2, Next: noon.Add(time.Hour), Problems: 3},
		},
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	WriteText(&b, sample())
	for _, want := range []string{
		"prod sends to 10.77.0.2:4600 at 900Mbit, since 2026-11-24 11:00.", "the kernel refused 2, the device's queue was full 7 times",
		"nothing", "FAILED: no such file", "prod/etc/2026-11-24T110000Z.000007  321    4.0 MiB  2 of 3  2026-11-24 13:00  3 files with trouble", "Sent is not stored",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	b.Reset()
	WriteText(&b, &Status{Name: "prod"})
	if !strings.Contains(b.String(), "NO weir-send run IS ACTIVE for prod") {
		t.Error(b.String())
	}
}

func TestMetricsAreDocumentedAndTold(t *testing.T) {
	comment, err := os.ReadFile("sending.go")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	WriteMetrics(&b, sample())
	for _, m := range regexp.MustCompile(`(?m)^# TYPE ([a-z_]+)`).FindAllStringSubmatch(b.String(), -1) {
		if !regexp.MustCompile(`(?m)^//\t.*\b` + m[1] + `\b`).Match(comment) {
			t.Errorf("%s is not in the package comment", m[1])
		}
	}
	for _, want := range []string{
		"\nweir_send_refused_total 2\n", "\nweir_send_snapshot_number{source=\"etc\"} 7\n", "\nweir_send_failed{source=\"db\"} 1\n", "\nweir_send_problems{source=\"etc\"} 3\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), `weir_send_snapshot_seconds{source="db"}`) {
		t.Error("a time of what was never sent")
	}
}

// What Prometheus itself makes of the metrics.
func TestPrometheusHasNoComplaint(t *testing.T) {
	for name, st := range map[string]*Status{"sample": sample(), "empty": {}} {
		var b bytes.Buffer
		WriteMetrics(&b, st)
		problems, err := promlint.New(&b).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v %v", name, problems, err)
		}
	}
}
