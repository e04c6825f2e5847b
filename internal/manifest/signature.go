package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Namespace is what the signature is for. A signature made with the same key
// for another purpose does not verify here, nor this one there.
const Namespace = "weir-manifest"

// Parts of an OpenSSH signature; see PROTOCOL.sshsig in the OpenSSH sources
// and RFC 8709 for the forms of Ed25519 keys and signatures.
const (
	sshMagic   = "SSHSIG"
	sshVersion = 1
	sshHash    = "sha512"
	sshKey     = "ssh-ed25519"
	pemType    = "SSH SIGNATURE"
	pemWidth   = 70
)

// MaxSignatureFile bounds a signature file in bytes, before it is decoded. A
// file that Armor writes has less than 400.
const MaxSignatureFile = 4 << 10

// Sign signs the manifest file whose SHA-512 is digest.
func Sign(key ed25519.PrivateKey, digest [64]byte) [64]byte {
	return [64]byte(ed25519.Sign(key, signedData(Namespace, digest)))
}

// SignFile returns the signature file, in the same form, of another kind of file
// with this content. The namespace says of which kind.
func SignFile(key ed25519.PrivateKey, namespace string, content []byte) []byte {
	sig := ed25519.Sign(key, signedData(namespace, sha512.Sum512(content)))
	return signatureFile(key.Public().(ed25519.PublicKey), namespace, [64]byte(sig))
}

// Verify says whether sig is the signature of the manifest file whose SHA-512
// is digest. A key of the wrong length verifies nothing.
func Verify(pub ed25519.PublicKey, digest, sig [64]byte) bool {
	return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, signedData(Namespace, digest), sig[:])
}

// signedData is what the key really signs: the digest in its SSHSIG frame.
func signedData(namespace string, digest [64]byte) []byte {
	b := []byte(sshMagic)
	b = appendSSH(b, namespace)
	b = appendSSH(b, "") // reserved
	b = appendSSH(b, sshHash)
	return appendSSH(b, string(digest[:]))
}

// Armor returns the signature file of a manifest, which anybody can check with
//
//	ssh-keygen -Y verify -f allowed_signers -I SENDER -n weir-manifest -s manifest.sig < manifest.jsonl
func Armor(pub ed25519.PublicKey, sig [64]byte) []byte { return signatureFile(pub, Namespace, sig) }

func signatureFile(pub ed25519.PublicKey, namespace string, sig [64]byte) []byte {
	b := []byte(sshMagic)
	b = binary.BigEndian.AppendUint32(b, sshVersion)
	b = appendSSH(b, string(publicBlob(pub)))
	b = appendSSH(b, namespace)
	b = appendSSH(b, "") // reserved
	b = appendSSH(b, sshHash)
	b = appendSSH(b, string(appendSSH(appendSSH(nil, sshKey), string(sig[:]))))
	return armor(b)
}

// armor is PEM with lines of 70 characters, as ssh-keygen writes it.
func armor(blob []byte) []byte {
	text := base64.StdEncoding.EncodeToString(blob)
	var b bytes.Buffer
	b.WriteString("-----BEGIN " + pemType + "-----\n")
	for len(text) > 0 {
		n := min(len(text), pemWidth)
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("-----END " + pemType + "-----\n")
	return b.Bytes()
}

// Unarmor reads a signature file and returns the key and the signature in it.
// It checks neither: the caller knows which key is trusted. A file of another
// namespace, hash or kind of key is refused. All errors wrap ErrSignature.
func Unarmor(file []byte) (pub ed25519.PublicKey, sig [64]byte, err error) {
	if len(file) > MaxSignatureFile {
		return nil, sig, fmt.Errorf("%w: %d bytes", ErrSignature, len(file))
	}
	block, rest := pem.Decode(file)
	if block == nil || block.Type != pemType || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, sig, fmt.Errorf("%w: no %s", ErrSignature, pemType)
	}
	w := wire{rest: block.Bytes}
	w.fixed(sshMagic + "\x00\x00\x00\x01")
	key := wire{rest: w.field()}
	w.expect(Namespace)
	w.expect("") // reserved
	w.expect(sshHash)
	value := wire{rest: w.field()}
	key.expect(sshKey)
	pub = key.field()
	value.expect(sshKey)
	raw := value.field()
	if err := errors.Join(w.end(), key.end(), value.end()); err != nil {
		return nil, sig, err
	}
	if len(pub) != ed25519.PublicKeySize || len(raw) != len(sig) {
		return nil, sig, fmt.Errorf("%w: key of %d bytes, signature of %d", ErrSignature, len(pub), len(raw))
	}
	return pub, [64]byte(raw), nil
}

// AllowedSigner returns a line of an allowed_signers file (see ssh-keygen(1)),
// without a newline: the sender called name may sign manifests with pub.
func AllowedSigner(name string, pub ed25519.PublicKey) string {
	return fmt.Sprintf("%s namespaces=%q %s", name, Namespace, PublicLine(pub))
}

// PublicLine returns pub as it stands in a .pub file of OpenSSH, without a
// comment or newline.
func PublicLine(pub ed25519.PublicKey) string {
	return sshKey + " " + base64.StdEncoding.EncodeToString(publicBlob(pub))
}

// ParsePublicLine reads what PublicLine wrote; what follows it in the line does not
// matter. All errors wrap ErrSignature.
func ParsePublicLine(line string) (ed25519.PublicKey, error) {
	parts := strings.Fields(line)
	if len(parts) < 2 || parts[0] != sshKey {
		return nil, fmt.Errorf("%w: no line of a key", ErrSignature)
	}
	blob, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	w := wire{rest: blob}
	w.expect(sshKey)
	pub := w.field()
	if err := w.end(); err != nil || len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: a key of %d bytes", ErrSignature, len(pub))
	}
	return pub, nil
}

func publicBlob(pub ed25519.PublicKey) []byte {
	return appendSSH(appendSSH(nil, sshKey), string(pub))
}

// appendSSH appends a string of the SSH wire format (RFC 4251, section 5).
func appendSSH(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// wire reads SSH strings. After the first misfit it is bad.
type wire struct {
	rest []byte
	bad  bool
}

func (w *wire) fixed(s string) {
	if !bytes.HasPrefix(w.rest, []byte(s)) {
		w.bad = true
		return
	}
	w.rest = w.rest[len(s):]
}

// field returns the next string; it is part of the input.
func (w *wire) field() []byte {
	if w.bad || len(w.rest) < 4 {
		w.bad = true
		return nil
	}
	n := binary.BigEndian.Uint32(w.rest)
	if uint64(n) > uint64(len(w.rest)-4) {
		w.bad = true
		return nil
	}
	s := w.rest[4 : 4+n]
	w.rest = w.rest[4+n:]
	return s
}

func (w *wire) expect(s string) {
	if string(w.field()) != s {
		w.bad = true
	}
}

func (w *wire) end() error {
	if w.bad || len(w.rest) > 0 {
		return fmt.Errorf("%w: it is not an Ed25519 signature for %s", ErrSignature, Namespace)
	}
	return nil
}
