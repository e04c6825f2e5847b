package protocol

// SignatureSize is the length in bytes of the Ed25519 signature of a manifest.
const SignatureSize = 64

// Manifest closes a snapshot. The manifest file itself travels as an object,
// compressed with Zstandard.
type Manifest struct {
	Object     ObjectID
	ObjectSize uint64 // bytes of the object
	Size       uint64 // bytes of the manifest file
	SHA256     Hash   // of the manifest file
	Previous   Hash   // of the source's previous manifest file, or zeros
	Signature  [SignatureSize]byte
}

// ManifestSize is what the record takes in a block, in bytes.
const ManifestSize = RecordHeaderSize + 16 + 8 + 8 + 32 + 32 + SignatureSize

// AppendManifest appends the record of m.
func AppendManifest(b []byte, m *Manifest) []byte {
	b = AppendRecordHeader(b, RecordManifest, ManifestSize-RecordHeaderSize)
	b = append(b, m.Object[:]...)
	b = be.AppendUint64(b, m.ObjectSize)
	b = be.AppendUint64(b, m.Size)
	b = append(b, m.SHA256[:]...)
	b = append(b, m.Previous[:]...)
	return append(b, m.Signature[:]...)
}

// ParseManifest reads the body of a Manifest record; ErrRecord if it is not
// well formed.
func ParseManifest(body []byte) (Manifest, error) {
	f := fields{rest: body}
	m := Manifest{
		Object: f.object(), ObjectSize: f.size(), Size: f.size(),
		SHA256: f.hash(), Previous: f.hash(),
	}
	f.copy(m.Signature[:])
	f.bad = f.bad || m.ObjectSize == 0 || m.Size == 0
	return m, f.end()
}
