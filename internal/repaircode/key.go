package repaircode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Binding is what both sides know of the snapshot that a part begins with.
type Binding struct {
	Sender, Source string
	Number         uint64
	Taken          time.Time // whole seconds count
	// Manifest is the hash of the manifest for Files and Units, whose numbers
	// mean something only with it; zeros otherwise.
	Manifest [32]byte
}

// Key makes the key of a code from what its parts are about, in their order.
// Somebody who does not know the manifests cannot make a code that passes.
func Key(all []Binding) []byte {
	h := hmac.New(sha256.New, []byte("weir repair code v1"))
	for i := range all {
		b := &all[i]
		h.Write([]byte(b.Sender + "\x00" + b.Source + "\x00"))
		h.Write(binary.BigEndian.AppendUint64(nil, b.Number))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(b.Taken.Unix())))
		h.Write(b.Manifest[:])
	}
	return h.Sum(nil)
}
