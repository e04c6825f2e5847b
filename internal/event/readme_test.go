package event

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeQuotesTheTable keeps what operators read and what is logged the same.
func TestReadmeQuotesTheTable(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), Markdown()) {
		t.Fatal("README.md does not hold the table of events as Markdown() makes it")
	}
}
