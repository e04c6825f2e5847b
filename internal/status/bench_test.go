package status

import (
	"bytes"
	"testing"
)

// BenchmarkWrite is what each writing of the files costs, with three senders that
// have a month behind them.
func BenchmarkWrite(b *testing.B) {
	s, dir := sample(), b.TempDir()
	for b.Loop() {
		if err := Write(dir, s); err != nil {
			b.Fatal(err)
		}
	}
	var page bytes.Buffer
	if err := WriteHTML(&page, s); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(page.Len()), "page-bytes")
}
