package vault

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/internal/names"
)

// ActionSigners changes which keys the vault and the process that holds it take
// for the senders': Detail is a SignersRequest.
const ActionSigners = "signers"

// SignersRequest says what changes. The configuration was changed before: this is
// for the process that goes by it already.
type SignersRequest struct {
	Trust  []Signer `json:"trust,omitempty"`
	Revoke []Signer `json:"revoke,omitempty"`
	// Reload asks the process that holds the vault to read its own keys anew.
	Reload bool `json:"reload,omitempty"`
}

// Signer is a sender and a key of it.
type Signer struct {
	Sender string            `json:"sender"`
	Key    ed25519.PublicKey `json:"key"`
}

// SignersChanged is told to who holds the vault: all keys as they are now.
type SignersChanged struct {
	Signers, Revoked map[string][]ed25519.PublicKey // by sender
	Reload           bool
}

// Files of keys, both for ssh-keygen: who may sign, and the revoked keys in the
// form of its option -r.
const (
	signersFile = "allowed_signers"
	revokedFile = "revoked_keys"
	maxKeysFile = 1 << 20 // bytes
)

func signersAction(v *Vault, r Request) (any, error) {
	var s SignersRequest
	if err := json.Unmarshal(r.Detail, &s); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	for _, one := range slices.Concat(s.Trust, s.Revoke) {
		if len(one.Key) != ed25519.PublicKeySize || names.Check(one.Sender) != nil {
			return nil, fmt.Errorf("a key of %d bytes for %q: %w", len(one.Key), one.Sender, ErrRequest)
		}
	}
	return nil, v.changeSigners(s)
}

// changeSigners goes by the new keys first and writes them down then: a full disk
// must not keep a revoked key in force.
func (v *Vault) changeSigners(s SignersRequest) error {
	signers, revoked := cloneKeys(v.opt.Signers), cloneKeys(v.opt.Revoked)
	var trusted []Signer
	for _, one := range s.Revoke {
		signers[one.Sender] = without(signers[one.Sender], one.Key)
		revoked[one.Sender] = append(without(revoked[one.Sender], one.Key), one.Key)
	}
	for _, one := range s.Trust {
		if !hasKey(revoked[one.Sender], one.Key) && !hasKey(signers[one.Sender], one.Key) {
			signers[one.Sender] = append(signers[one.Sender], one.Key)
			trusted = append(trusted, one)
		}
	}
	v.opt.Signers, v.opt.Revoked = signers, revoked
	var err error
	if v.opt.OnSigners != nil {
		err = v.opt.OnSigners(SignersChanged{Signers: signers, Revoked: revoked, Reload: s.Reload})
	}
	for _, one := range trusted {
		err = errors.Join(err, v.record(event.KeyTrusted, Snapshot{Sender: one.Sender}, manifest.PublicLine(one.Key)))
		v.log.Warn().Str(event.Field, event.KeyTrusted).Str("sender", one.Sender).Str("key", manifest.PublicLine(one.Key)).Msg("another key of a sender is trusted from now on")
	}
	return errors.Join(err, v.writeSigners(), v.writeRevoked())
}

// SetSigners replaces the keys that Open was given.
func (v *Vault) SetSigners(signers, revoked map[string][]ed25519.PublicKey) error {
	v.opt.Signers, v.opt.Revoked = cloneKeys(signers), cloneKeys(revoked)
	return v.openSigners()
}

// openSigners brings what the vault itself says of keys in line with the options. A
// key that it knows as revoked stays revoked, whoever opens it.
func (v *Vault) openSigners() error {
	v.opt.Revoked = cloneKeys(v.opt.Revoked)
	for _, line := range readLines(v.own(revokedFile)) {
		parts := strings.Fields(line)
		pub, err := manifest.ParsePublicLine(line)
		if err != nil || len(parts) < 3 {
			continue
		}
		if name := parts[2]; !hasKey(v.opt.Revoked[name], pub) {
			v.opt.Revoked[name] = append(v.opt.Revoked[name], pub)
		}
	}
	return errors.Join(v.writeSigners(), v.writeRevoked())
}

func cloneKeys(all map[string][]ed25519.PublicKey) map[string][]ed25519.PublicKey {
	out := map[string][]ed25519.PublicKey{}
	for name, keys := range all {
		out[name] = slices.Clone(keys)
	}
	return out
}

func without(keys []ed25519.PublicKey, key ed25519.PublicKey) []ed25519.PublicKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k ed25519.PublicKey) bool { return k.Equal(key) })
}

func hasKey(keys []ed25519.PublicKey, key ed25519.PublicKey) bool {
	return slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return k.Equal(key) })
}

// mayHaveSigned returns the keys of which one must have signed a manifest.
func (v *Vault) mayHaveSigned(p *pending) []ed25519.PublicKey {
	keys := v.opt.Signers[p.Sender]
	if p.Ref.PublicKey != nil {
		keys = []ed25519.PublicKey{p.Ref.PublicKey}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k ed25519.PublicKey) bool { return v.isRevoked(p.Sender, k) })
}

func (v *Vault) isRevoked(sender string, key ed25519.PublicKey) bool {
	return hasKey(v.opt.Revoked[sender], key)
}

// writeSigners lists the senders' keys in the form that ssh-keygen reads. Keys
// that are no longer trusted stay: what they signed is still there.
func (v *Vault) writeSigners() error {
	lines := map[string]bool{}
	for _, line := range readLines(v.own(signersFile)) {
		lines[line] = true
	}
	before := len(lines)
	for _, all := range []map[string][]ed25519.PublicKey{v.opt.Signers, v.opt.Revoked} {
		for name, keys := range all {
			for _, pub := range keys {
				lines[manifest.AllowedSigner(name, pub)] = true
			}
		}
	}
	if len(lines) == before {
		return nil
	}
	return v.replaceLines(signersFile, slices.Sorted(maps.Keys(lines)))
}

// writeRevoked adds the revoked keys that are not listed yet, each with the time
// and the sender behind it.
func (v *Vault) writeRevoked() error {
	path := v.own(revokedFile)
	lines, known := readLines(path), readRevoked(v.layout)
	before := len(lines)
	for _, name := range slices.Sorted(maps.Keys(v.opt.Revoked)) {
		for _, pub := range v.opt.Revoked[name] {
			line := manifest.PublicLine(pub)
			if _, ok := known[line]; ok {
				continue
			}
			now := v.clock.read()
			lines = append(lines, fmt.Sprintf("%s %s revoked %s", line, name, now.Format(time.RFC3339)))
			if err := v.record(event.KeyRevoked, Snapshot{Sender: name}, line); err != nil {
				return err
			}
			v.log.Warn().Str(event.Field, event.KeyRevoked).Str("sender", name).Str("key", line).Msg("a key of a sender is revoked: nothing that it signs is taken any more")
		}
	}
	if len(lines) == before {
		return nil
	}
	return v.replaceLines(revokedFile, lines)
}

func (v *Vault) replaceLines(name string, lines []string) error {
	if err := v.disk.replace(v.own(name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing the senders' keys: %w", err)
	}
	return nil
}

// Revoked says when keys were revoked, by their line in a .pub file.
type Revoked map[string]time.Time

// When returns when a key was revoked, if it was.
func (r Revoked) When(pub ed25519.PublicKey) (at time.Time, ok bool) {
	if len(r) == 0 || pub == nil {
		return at, false
	}
	at, ok = r[manifest.PublicLine(pub)]
	return at, ok
}

// RevokedKeys returns the keys that the vault knows as revoked. It needs no lock.
func RevokedKeys(dir string) Revoked { return readRevoked(layout{dir}) }

// readRevoked returns when each key was revoked, by its line in a .pub file.
func readRevoked(l layout) Revoked {
	all := Revoked{}
	for _, line := range readLines(l.own(revokedFile)) {
		parts := strings.Fields(line)
		if len(parts) != 5 {
			continue
		}
		at, _ := time.Parse(time.RFC3339, parts[4])
		all[parts[0]+" "+parts[1]] = at
	}
	return all
}

// readLines returns the lines of a file of keys that hold something.
func readLines(path string) (lines []string) {
	data, err := readBounded(path, maxKeysFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// markRevoked notes which snapshots are signed by a key that is revoked. Only where
// there are such keys does it look at any signature.
func markRevoked(l layout, all []Info) {
	revoked := readRevoked(l)
	if len(revoked) == 0 {
		return
	}
	for i := range all {
		dir := l.pending(all[i].Snapshot())
		if all[i].published() {
			dir = l.point(all[i].Snapshot())
		}
		all[i].Revoked, _ = revoked.When(signerOf(dir))
		all[i].Building = all[i].Building && all[i].Revoked.IsZero() // nothing comes of it
	}
}

// Signer returns the key that made the signature beside a snapshot's manifest, nil
// while there is none. Verify tells whether it is good.
func (f Found) Signer() ed25519.PublicKey {
	if f.Manifest == "" {
		return nil
	}
	return signerOf(filepath.Dir(f.Manifest))
}

func signerOf(dir string) ed25519.PublicKey {
	armored, err := readBounded(filepath.Join(dir, sigFile), manifest.MaxSignatureFile)
	if err != nil {
		return nil
	}
	pub, _, err := manifest.Unarmor(armored)
	if err != nil {
		return nil
	}
	return pub
}
