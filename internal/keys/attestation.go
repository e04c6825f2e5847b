package keys

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Attestation loads the key for attestations at path, and makes it where there is
// none; the file and its directory are synced. One that group or others can read
// is refused (ErrMode).
func Attestation(path string) (ed25519.PrivateKey, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return newAttestation(path)
	}
	raw, err := load(path, attestationSecret)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return ed25519.NewKeyFromSeed(raw), nil
}

func newAttestation(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a key for attestations: %w", err)
	}
	text := fmt.Appendf(nil, "# Secret key of weir-recv for its daily attestation. Keep it on this host.\n%s\n", attestationSecret.encode(key.Seed()))
	if err := WriteNew(path, text, FileMode); err != nil {
		return nil, fmt.Errorf("writing the key %s: %w", path, err)
	}
	return key, nil
}
