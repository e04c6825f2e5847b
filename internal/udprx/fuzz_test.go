package udprx

import (
	"testing"
	"unsafe"
)

// FuzzControl reads the control messages beside a datagram. They come from the
// kernel, through whatever drivers and filters it runs.
func FuzzControl(f *testing.F) {
	f.Add(make([]byte, controlSize))
	f.Add([]byte{20, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 104, 0, 0, 0, 0xc0, 5, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var aligned [controlSize / 8]uint64 // as the kernel's are
		b := unsafe.Slice((*byte)(unsafe.Pointer(&aligned)), controlSize)
		var c Conn
		c.readControl(b[:copy(b, data)])
	})
}
