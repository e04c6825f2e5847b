package sealing

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
)

// ErrRecipient is returned for what is no public key of age.
var ErrRecipient = errors.New("not a public key of age, which begins with age1")

// Recipients are the keys to which content is sealed. Each of them opens it.
type Recipients struct {
	keys []age.Recipient
	mark [markSize]byte
}

// markSize is how much of a hash tells one set of recipients from another, in
// bytes.
const markSize = 8

// Parse reads public keys as age-keygen prints them: X25519 (age1...) or hybrid
// with ML-KEM-768 (age1pq1...). One sort only can be mixed.
func Parse(texts []string) (*Recipients, error) {
	r := &Recipients{}
	for _, text := range texts {
		all, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(all) != 1 {
			return nil, fmt.Errorf("%.80q: %w", text, ErrRecipient)
		}
		r.keys = append(r.keys, all[0])
	}
	if len(r.keys) == 0 {
		return nil, fmt.Errorf("no key: %w", ErrRecipient)
	}
	sorted := slices.Sorted(slices.Values(texts))
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\n")))
	copy(r.mark[:], sum[:])
	if _, err := r.Begin(); err != nil {
		return nil, err // they cannot be mixed
	}
	return r, nil
}

// catcher is a recipient that also takes note of the file key.
type catcher struct {
	age.Recipient
	key *[]byte
}

// Wrap wraps the file key for the recipient behind c.
func (c catcher) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	*c.key = bytes.Clone(fileKey)
	return c.Recipient.Wrap(fileKey)
}

// labeled is a catcher for recipients with labels.
type labeled struct {
	catcher
	inner age.RecipientWithLabels
}

// WrapWithLabels wraps the file key for the recipient behind l.
func (l labeled) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	*l.key = bytes.Clone(fileKey)
	return l.inner.WrapWithLabels(fileKey)
}

// Begin makes the Seal of a new age file.
func (r *Recipients) Begin() (Seal, error) {
	var fileKey []byte
	all := slices.Clone(r.keys)
	c := catcher{Recipient: all[0], key: &fileKey}
	if inner, ok := all[0].(age.RecipientWithLabels); ok {
		all[0] = labeled{c, inner}
	} else {
		all[0] = c
	}
	var head bytes.Buffer
	if _, err := age.Encrypt(&head, all...); err != nil { // never closed: the header is all that is wanted
		return "", fmt.Errorf("sealing a file key: %w", err)
	}
	if len(fileKey) != fileKeySize {
		return "", fmt.Errorf("age made a file key of %d bytes: %w", len(fileKey), ErrSeal)
	}
	return Seal(slices.Concat(r.mark[:], fileKey, head.Bytes())), nil
}

// Made reports whether a seal was made for just these recipients.
func (r *Recipients) Made(s Seal) bool {
	return len(s) > minSeal && string(s[:markSize]) == string(r.mark[:])
}

// Stream returns an age file of what comes from plain. It cannot be made again.
func (r *Recipients) Stream(plain io.Reader) (io.Reader, error) {
	sealed, err := age.EncryptReader(plain, r.keys...)
	if err != nil {
		return nil, fmt.Errorf("sealing a stream: %w", err)
	}
	return sealed, nil
}
