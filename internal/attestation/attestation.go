// Package attestation is what a vault host says once a day, signed: to what each
// source can be restored. It is said also when nothing came, so that silence is
// never taken for good news.
//
// The file is JSON; beside it lies a signature in the form of OpenSSH:
//
//	ssh-keygen -Y verify -f allowed_signers -I weir-recv -n weir-attestation \
//	    -s 2026-11-24.json.sig < 2026-11-24.json
package attestation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/manifest"
	"weir/internal/statefile"
)

const (
	// Namespace keeps the signatures apart from those of manifests.
	Namespace = "weir-attestation"
	// Signer is the principal in allowed_signers.
	Signer = "weir-recv"

	signersFile = "allowed_signers"
	dateLayout  = "2006-01-02"
)

// Day is what is attested of one day.
type Day struct {
	Version int       `json:"version"` // 1
	Day     string    `json:"day"`     // by the vault's clock, UTC
	Time    time.Time `json:"time"`
	Host    string    `json:"host"`
	Vault   string    `json:"vault"`
	// LogHead is the SHA-256 of the last line of the vault's event log, which
	// ties the two together; empty while there is none.
	LogHead string   `json:"log_head"`
	Sources []Source `json:"sources"`
	Alarms  []Alarm  `json:"alarms"`
}

// Source is to what a source can be restored.
type Source struct {
	Sender   string    `json:"sender"`
	Source   string    `json:"source"`
	Newest   string    `json:"newest"` // whole restore point; empty: none
	Manifest string    `json:"manifest_sha256,omitempty"`
	Taken    time.Time `json:"taken,omitzero"`
	Received time.Time `json:"received,omitzero"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Oldest   string    `json:"oldest"`    // whole restore point
	Whole    int       `json:"whole"`     // restore points
	NotWhole int       `json:"not_whole"` // snapshots
}

// Alarm is what was not as expected at that time.
type Alarm struct {
	Event   string    `json:"event"`
	Subject string    `json:"subject"`
	Since   time.Time `json:"since"`
	Text    string    `json:"text"`
}

// Name returns the name of the file of the day that t is in.
func Name(t time.Time) string { return t.UTC().Format(dateLayout) + ".json" }

// Done reports whether dir has the file of the day that t is in, with its
// signature.
func Done(dir string, t time.Time) bool {
	_, err := os.Lstat(filepath.Join(dir, Name(t)+".sig"))
	return err == nil
}

// Write signs d and writes both files and the list of signers to dir, which is
// made. The signature comes last: where it is, all is.
func Write(dir string, d Day, key ed25519.PrivateKey) error {
	d.Version, d.Day = 1, d.Time.UTC().Format(dateLayout)
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the attestation: %w", err)
	}
	text = append(text, '\n')
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the attestation: %w", err)
	}
	if err := addSigner(dir, key.Public().(ed25519.PublicKey)); err != nil {
		return err
	}
	name := Name(d.Time)
	for _, f := range []struct {
		name    string
		content []byte
	}{{name, text}, {name + ".sig", manifest.SignFile(key, Namespace, text)}} {
		if err := statefile.Replace(filepath.Join(dir, f.name), f.content, 0o444); err != nil {
			return fmt.Errorf("writing the attestation: %w", err)
		}
	}
	return nil
}

// SignerLine returns the line of allowed_signers for the key.
func SignerLine(pub ed25519.PublicKey) string {
	return fmt.Sprintf("%s namespaces=%q %s", Signer, Namespace, manifest.PublicLine(pub))
}

// maxSigners bounds the list of signers that is read, in bytes.
const maxSigners = 1 << 20

// addSigner adds the key to the list, in which earlier keys stay.
func addSigner(dir string, pub ed25519.PublicKey) error {
	path, line := filepath.Join(dir, signersFile), []byte(SignerLine(pub)+"\n")
	info, err := os.Lstat(path)
	var old []byte
	if err == nil && info.Mode().IsRegular() && info.Size() < maxSigners {
		old, err = os.ReadFile(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the signers of attestations: %w", err)
	}
	if bytes.Contains(old, line) {
		return nil
	}
	if err := statefile.Replace(path, append(old, line...), 0o444); err != nil {
		return fmt.Errorf("writing the attestation: %w", err)
	}
	return nil
}
