package sender

import (
	"encoding/binary"

	"weir/internal/sealing"
	"weir/protocol"
)

// version is one version of a file and the object that it became. Two stats
// that agree in size, both times, inode and device are of one version.
type version struct {
	Size, ModTime, ChangeTime int64
	Inode, Device             uint64
	Object                    protocol.ObjectID
	SHA256                    protocol.Hash
	// Bare says that the version has no extended attributes to list. Setting
	// one moves the change time, so that this holds for as long as the version.
	Bare bool
	// Seal is how the content was sealed; "" if the object is the content itself.
	Seal sealing.Seal
}

// versionSize is what a version takes in the state, without the flags, which
// states of older programs lack.
const versionSize = 5*8 + 16 + 32

// flagBare is the bit of Bare in the flags.
const flagBare = 1

func (v *version) sameFile(o *version) bool {
	return v.Size == o.Size && v.ModTime == o.ModTime && v.ChangeTime == o.ChangeTime && v.Inode == o.Inode && v.Device == o.Device
}

// settled reports whether a change after the time now of fileClock would show: one
// in the same tick as the last change leaves both times as they are.
func (v *version) settled(now int64) bool { return v.ChangeTime < now }

func appendVersion(b []byte, v *version) []byte {
	for _, n := range [...]uint64{uint64(v.Size), uint64(v.ModTime), uint64(v.ChangeTime), v.Inode, v.Device} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(append(b, v.Object[:]...), v.SHA256[:]...)
	if v.Bare {
		b = append(b, flagBare)
	} else {
		b = append(b, 0)
	}
	return append(b, v.Seal...)
}

// decode reads what appendVersion wrote, and says whether it is one.
func (v *version) decode(b []byte) bool {
	if len(b) < versionSize {
		return false
	}
	n := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	*v = version{Size: int64(n(0)), ModTime: int64(n(1)), ChangeTime: int64(n(2)), Inode: n(3), Device: n(4)}
	copy(v.Object[:], b[40:])
	copy(v.SHA256[:], b[56:])
	v.Bare = len(b) > versionSize && b[versionSize]&flagBare != 0
	if len(b) > versionSize+1 {
		v.Seal = sealing.Seal(b[versionSize+1:])
	}
	return true
}

// fileKey makes keys sort in walk order: '/' below every other byte.
func fileKey(path string) []byte { return appendFileKey(nil, path) }

func appendFileKey(b []byte, path string) []byte {
	at := len(b)
	b = append(b, path...)
	for i := at; i < len(b); i++ {
		if b[i] == '/' {
			b[i] = 0
		}
	}
	return b
}
