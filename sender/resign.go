package sender

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"weir/internal/manifest"
	"weir/protocol"
)

// resign signs a manifest that is sent again with the present key, if another one
// signed it: that one may be revoked by now.
func (a *again) resign(record *protocol.Manifest) error {
	if a.sent.Signer == keyID(a.cfg.Signer) {
		return nil
	}
	digest, err := a.digest()
	if err != nil {
		return a.sent.damaged(err)
	}
	if !manifest.Verify(a.cfg.Signer.Public().(ed25519.PublicKey), digest, record.Signature) {
		record.Signature = manifest.Sign(a.cfg.Signer, digest)
	}
	// From the state: passes may have been noted there since.
	sent, err := a.cfg.State.sent(a.sent.Source, a.sent.Number)
	if err != nil {
		return err
	}
	sent.Signature, sent.Signer = record.Signature[:], keyID(a.cfg.Signer)
	return a.cfg.State.saveSent(sent)
}

// digest returns the SHA-512 of the kept manifest, if that is the one that was sent.
func (a *again) digest() (digest [64]byte, err error) {
	f, err := os.Open(a.history.path(a.sent.Source, a.sent.Number))
	if err != nil {
		return digest, err
	}
	defer f.Close()
	zip, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return digest, err
	}
	defer zip.Close()
	var h hash.Hash = sha512.New()
	n, err := io.Copy(h, io.LimitReader(zip, a.sent.Size+1))
	if err == nil && n != a.sent.Size {
		err = fmt.Errorf("it has %d bytes, not %d", n, a.sent.Size)
	}
	return [64]byte(h.Sum(nil)), err
}
