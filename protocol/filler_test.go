package protocol

import (
	"bytes"
	"io"
	"testing"
)

func TestFiller(t *testing.T) {
	if got := AppendFiller(nil, 8); !bytes.Equal(got, []byte{10, 0, 0, 0, 3, 0, 0, 0}) {
		t.Errorf("a filler of 8 bytes is %x", got)
	}
	for at := range 3 * SymbolAlign {
		n := FillerFor(at, DataHeaderSize)
		if (at+n+DataHeaderSize)%SymbolAlign != 0 || n != 0 && n < RecordHeaderSize || n >= SymbolAlign+RecordHeaderSize {
			t.Fatalf("at %d: a filler of %d bytes", at, n)
		}
		if n == 0 {
			continue
		}
		kind, body, rest, err := NextRecord(AppendFiller(nil, n))
		if kind != RecordFiller || len(body) != n-RecordHeaderSize || len(rest) > 0 || err != nil {
			t.Fatalf("%d bytes parse as %d, %d bytes, %v", n, kind, len(body), err)
		}
		if _, _, _, err := NextRecord(rest); err != io.EOF {
			t.Fatal(err)
		}
	}
}
