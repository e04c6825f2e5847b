package keyoffer

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func key(seed byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)).Public().(ed25519.PublicKey)
}

func newBook(t *testing.T, vault string, now *time.Time) *Book {
	t.Helper()
	b, err := Open(vault, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The counter holds over a restart, and the file of an offer is what Read tells.
func TestOffers(t *testing.T) {
	vault, now := t.TempDir(), time.Unix(1e9, 0)
	if err := os.Mkdir(filepath.Join(vault, ".weir"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBook(t, vault, &now)
	for i, c := range []struct {
		counter uint64
		seed    byte
		wait    time.Duration
		fresh   bool
		err     error
	}{
		{5, 1, 0, true, nil},
		{5, 1, 0, false, nil}, // said again
		{5, 2, time.Hour, false, ErrOld},
		{4, 2, 0, false, ErrOld},
		{6, 2, 0, true, nil},
		{7, 3, time.Second, false, ErrOften},
		{7, 3, every, true, nil},
		{8, 3, -time.Hour, true, nil}, // the clock was set back
	} {
		now = now.Add(c.wait)
		o, fresh, err := b.Take("prod", c.counter, key(c.seed))
		if fresh != c.fresh || !errors.Is(err, c.err) || err == nil && o.Counter != c.counter {
			t.Errorf("%d: %+v, %v, %v", i, o, fresh, err)
		}
		if i%2 == 0 {
			b = newBook(t, vault, &now)
		}
	}
	if _, fresh, err := b.Take("dev", 1, key(9)); !fresh || err != nil {
		t.Errorf("another sender: %v, %v", fresh, err)
	}
	if o, err := Read(vault, "prod"); err != nil || o.Counter != 8 || len(o.Fingerprint()) != 19 {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := Read(vault, "none"); !errors.Is(err, ErrNone) {
		t.Errorf("nothing offered: %v", err)
	}
	if _, err := Read(vault, "../prod"); err == nil {
		t.Error("a path was read")
	}
}

// A damaged file must not let an older offer in.
func TestDamagedOffer(t *testing.T) {
	vault, now := t.TempDir(), time.Unix(1e9, 0)
	dir := filepath.Join(vault, ".weir", "offers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBook(t, vault, &now)
	if _, _, err := b.Take("prod", 5, key(1)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, "prod.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "cut": string(good[:len(good)/2]), "of another": string(bytes.Replace(good, []byte(`"prod"`), []byte(`"dev"`), 1)),
		"no counter": string(bytes.Replace(good, []byte(`:5,`), []byte(`:0,`), 1)), "huge": string(bytes.Repeat(good, 1000)),
	} {
		if err := os.WriteFile(filepath.Join(dir, "prod.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(vault, time.Now); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}

func FuzzOffer(f *testing.F) {
	f.Add([]byte(`{"sender":"prod","counter":5,"key":"weir-send-1-O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2in5Zoz6"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := parse(data, "prod"); err == nil && (o.Sender != "prod" || o.Counter == 0 || len(o.Fingerprint()) != 19) {
			t.Fatalf("%+v", o)
		}
	})
}
