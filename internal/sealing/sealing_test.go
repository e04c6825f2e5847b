package sealing

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"filippo.io/age"
)

func pair(t *testing.T, hybrid bool) (age.Identity, string) {
	t.Helper()
	if hybrid {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		return id, id.Recipient().String()
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, id.Recipient().String()
}

// TestAgeOpensIt holds what is made against age itself, for sizes around those of
// chunks, and makes each file a second time, in pieces.
func TestAgeOpensIt(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		id, one := pair(t, hybrid)
		other, two := pair(t, hybrid)
		r, err := Parse([]string{one, two})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 100, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 300_000} {
			plain := make([]byte, n)
			rand.NewChaCha8([32]byte{byte(n)}).Read(plain)
			seal, err := r.Begin()
			if err != nil {
				t.Fatal(err)
			}
			f, err := seal.Open(bytes.NewReader(plain), int64(n))
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()+10))
			if err != nil || int64(len(sealed)) != f.Size() {
				t.Fatalf("%d bytes: %d sealed, want %d, %v", n, len(sealed), f.Size(), err)
			}
			for _, identity := range []age.Identity{id, other} {
				d, err := age.Decrypt(bytes.NewReader(sealed), identity)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%d bytes: age opens %d, %v", n, len(got), err)
				}
			}
			again, err := seal.Open(bytes.NewReader(plain), int64(n))
			if err != nil {
				t.Fatal(err)
			}
			for off := len(sealed); off > 0; {
				from := max(0, off-1-rand.IntN(50_000))
				piece := make([]byte, off-from)
				if _, err := again.ReadAt(piece, int64(from)); err != nil || !bytes.Equal(piece, sealed[from:off]) {
					t.Fatalf("%d bytes: another piece at %d, %v", n, from, err)
				}
				off = from
			}
		}
	}
}

func TestSealsBelongToTheirRecipients(t *testing.T) {
	_, one := pair(t, false)
	_, two := pair(t, false)
	a, err := Parse([]string{one, two})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Parse([]string{two, one})
	c, _ := Parse([]string{one})
	s, err := a.Begin()
	if err != nil || !a.Made(s) || !b.Made(s) || c.Made(s) || a.Made("") {
		t.Errorf("%v, %v, %v, %v", a.Made(s), b.Made(s), c.Made(s), err)
	}
	_, pq := pair(t, true)
	for _, bad := range [][]string{nil, {""}, {"age1"}, {one + "\n" + two}, {"AGE-SECRET-KEY-1"}} {
		if _, err := Parse(bad); !errors.Is(err, ErrRecipient) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := Parse([]string{one, pq}); err == nil {
		t.Error("keys of two sorts are taken, which age refuses")
	}
	if _, err := Seal("short").Open(bytes.NewReader(nil), 1); !errors.Is(err, ErrSeal) {
		t.Errorf("no seal: %v", err)
	}
}

func TestShorterFileIsNoticed(t *testing.T) {
	_, one := pair(t, false)
	r, err := Parse([]string{one})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Begin()
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(bytes.NewReader(make([]byte, 99_999)), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}
