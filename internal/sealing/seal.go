package sealing

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// Seal is what was random about an age file: whom it is for, its file key, and
// its header with the nonce of the payload. It is a secret.
type Seal string

const (
	fileKeySize = 16
	nonceSize   = 16 // of the payload, at the end of the header
	chunkSize   = 64 << 10
	sealedChunk = chunkSize + chacha20poly1305.Overhead
	minSeal     = markSize + fileKeySize + nonceSize
)

// ErrSeal is returned for bytes that are no Seal.
var ErrSeal = errors.New("not a seal")

func (s Seal) head() string { return string(s[markSize+fileKeySize:]) }

// Size returns the bytes of the age file of plain bytes of content, 0 for none:
// empty files are not sealed.
func (s Seal) Size(plain int64) int64 {
	if plain <= 0 || len(s) <= minSeal {
		return 0
	}
	chunks := (plain + chunkSize - 1) / chunkSize
	return int64(len(s.head())) + plain + chunks*chacha20poly1305.Overhead
}

// File is an age file that is made from the plain one as it is read. It is not
// safe for concurrent use.
type File struct {
	seal  Seal
	plain io.ReaderAt
	size  int64 // of plain
	aead  cipher.AEAD
	chunk int64  // the one that is in sealed, or -1
	buf   []byte // plain bytes of a chunk
	done  []byte // and the sealed ones
}

// Open returns the age file of size bytes of plain content, at least one. The
// payload is the STREAM construction of age-encryption.org/v1.
func (s Seal) Open(plain io.ReaderAt, size int64) (*File, error) {
	if len(s) <= minSeal || size <= 0 {
		return nil, ErrSeal
	}
	head := s.head()
	key, err := hkdf.Key(sha256.New, []byte(s[markSize:markSize+fileKeySize]), []byte(head[len(head)-nonceSize:]), "payload", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the payload key: %w", err)
	}
	defer clear(key)
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, fmt.Errorf("deriving the payload key: %w", err)
	}
	return &File{seal: s, plain: plain, size: size, aead: aead, chunk: -1, buf: make([]byte, chunkSize), done: make([]byte, 0, sealedChunk)}, nil
}

// Size returns the bytes of the age file.
func (f *File) Size() int64 { return f.seal.Size(f.size) }

// ReadAt makes the bytes of the age file from off on.
func (f *File) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ErrSeal
	}
	head := f.seal.head()
	if off < int64(len(head)) {
		n = copy(p, head[off:])
	}
	for n < len(p) {
		at := off + int64(n) - int64(len(head))
		if at >= f.Size()-int64(len(head)) {
			return n, io.EOF
		}
		if err := f.make(at / sealedChunk); err != nil {
			return n, err
		}
		n += copy(p[n:], f.done[at%sealedChunk:])
	}
	return n, nil
}

// make seals a chunk, unless it is the one that was made last.
func (f *File) make(chunk int64) error {
	if f.chunk == chunk {
		return nil
	}
	f.chunk = -1
	from := chunk * chunkSize
	part := f.buf[:min(chunkSize, f.size-from)]
	if n, err := f.plain.ReadAt(part, from); n < len(part) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it is shorter than it was
		}
		return err
	}
	var nonce [chacha20poly1305.NonceSize]byte
	binary.BigEndian.PutUint64(nonce[3:11], uint64(chunk))
	if from+int64(len(part)) == f.size {
		nonce[len(nonce)-1] = 1
	}
	f.done = f.aead.Seal(f.done[:0], nonce[:], part, nil)
	f.chunk = chunk
	return nil
}
