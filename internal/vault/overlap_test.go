package vault

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestOverlappingRanges: what is there is not written again, so bytes that come
// for the same place and differ must not be hashed in its stead. Found by the
// stateful fuzz of the receiver.
func TestOverlappingRanges(t *testing.T) {
	v, err := Open(t.TempDir(), Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := Snapshot{Sender: "prod", Source: "etc", Number: 1, Taken: time.Unix(1.7e9, 0)}
	id, good := ObjectID{1}, make([]byte, 300)
	for _, err := range []error{
		v.WriteRange(s, id, 3, []byte("bad")),
		v.WriteRange(s, id, 0, good),
		v.EndObject(s, id, int64(len(good)), sha256.Sum256(good), nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := v.known(key{"prod", id}); ok {
		t.Fatal("an object with other bytes than its hash says is taken for good")
	}
	// What was damaged is thrown away, so that the object can come again.
	if err := v.WriteRange(s, id, 0, good); err != nil {
		t.Fatal(err)
	}
	if err := v.EndObject(s, id, int64(len(good)), sha256.Sum256(good), nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.known(key{"prod", id}); !ok {
		t.Fatal("the object cannot come again")
	}
}
