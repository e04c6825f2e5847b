package sender

import (
	"crypto/rand"
	"path/filepath"
	"strconv"
	"testing"
)

// filesOfRuns makes n files with ids as the sender gives them.
func filesOfRuns(n int) []sentFile {
	s, files := &snapshot{}, make([]sentFile, n)
	for i := range files {
		files[i] = sentFile{path: strconv.Itoa(i), version: version{Object: s.newID()}}
	}
	return files
}

// TestTimesOfMany counts each object, in whatever order they left.
func TestTimesOfMany(t *testing.T) {
	s, files := openState(t, filepath.Join(t.TempDir(), "state")), filesOfRuns(10_000)
	defer s.Close()
	if _, err := s.nextNumber("src"); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for i := range files {
			files[i].again = 0
			if i%3 >= round {
				files[i].again = int64(round + 1)
			}
		}
		must(t, s.save("src", files))
	}
	for i := range files {
		if n := s.times("src", files[i].Object); int(n.Count) != 2+i%3 || n.Last.UnixNano() != int64(1+i%3) {
			t.Fatalf("file %d: %+v", i, n)
		}
	}
}

// BenchmarkSaveAgain notes that 100,000 small files went out once more.
func BenchmarkSaveAgain(b *testing.B) {
	files := filesOfRuns(100_000)
	for i := range files {
		files[i].again = 1
	}
	for b.Loop() {
		b.StopTimer()
		s, err := OpenState(filepath.Join(b.TempDir(), rand.Text()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.nextNumber("src"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := s.save("src", files); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
