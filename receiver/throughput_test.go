package receiver

import (
	"strings"
	"testing"
	"time"
)

func TestThroughput(t *testing.T) {
	now := time.Unix(2e9, 0)
	var m throughput
	if rate, words := m.advice(now); rate != 0 || !strings.Contains(words, "lower rate on the sender") {
		t.Errorf("before anything: %d, %q", rate, words)
	}
	for range 10 { // 10 MB in 100 ms each: 100 MB/s, whatever the pauses
		m.begin(now)
		now = now.Add(100 * time.Millisecond)
		m.end(now, 10e6)
		now = now.Add(time.Second)
	}
	if rate, words := m.advice(now); rate != 100e6 || !strings.Contains(words, `rate = "640Mbit"`) {
		t.Errorf("at 100 MB/s: %d, %q", rate, words)
	}
	m.turn()
	m.begin(now)
	now = now.Add(30 * time.Second)
	rate, words := m.advice(now)
	if rate != 100_000_000/31 || !strings.Contains(words, "nothing for 30s") || !strings.Contains(words, `rate = "20Mbit"`) {
		t.Errorf("30 s after it stalled: %d, %q", rate, words)
	}
	for range throughputWindows {
		m.turn()
	}
	if rate, words := m.advice(now); rate != 0 || !strings.Contains(words, "look after the disk") {
		t.Errorf("when all before is forgotten: %d, %q", rate, words)
	}
}
