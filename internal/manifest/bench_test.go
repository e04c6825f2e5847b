package manifest

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

func usual(i int) *Entry {
	e := file(fmt.Sprintf("var/lib/some/folder/%08d/file-%d.txt", i/100, i%100+100), 1024)
	e.User, e.Group = "root", "root"
	return e
}

// BenchmarkWriter writes one entry of usual length.
func BenchmarkWriter(b *testing.B) {
	list := make([]*Entry, 100_000)
	for i := range list {
		list[i] = usual(i)
	}
	b.ReportAllocs()
	var w *Writer
	for i := 0; b.Loop(); i++ {
		if i%len(list) == 0 {
			w, _ = NewWriter(io.Discard, header)
		}
		if err := w.Add(list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader reads and checks one entry of usual length.
func BenchmarkReader(b *testing.B) {
	list := make([]*Entry, 100_000)
	for i := range list {
		list[i] = usual(i)
	}
	text := write(b, list)
	b.SetBytes(int64(len(text) / len(list)))
	b.ReportAllocs()
	r, _ := NewReader(bytes.NewReader(text), Limits{})
	for b.Loop() {
		_, err := r.Next()
		if err == io.EOF {
			r, err = NewReader(bytes.NewReader(text), Limits{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
