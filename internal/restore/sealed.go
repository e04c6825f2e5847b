package restore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"weir/internal/manifest"
)

// ErrSealed is returned for content that cannot be read without a key.
var ErrSealed = errors.New("its content is sealed to a recovery key: give --identity FILE, or --encrypted to restore it as it is stored, for age -d")

// unseal copies what is in an age file. The age file itself is held against the
// manifest too, so that damage is told from a wrong key.
func (r *run) unseal(dst, src *os.File, e *manifest.Entry) error {
	if len(r.o.Identities) == 0 {
		return ErrSealed
	}
	sum := sha256.New()
	stored := &counter{r: io.TeeReader(io.LimitReader(src, e.Size+1), sum)}
	plain, err := age.Decrypt(stored, r.o.Identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return fmt.Errorf("%w: none of the given keys opens it", ErrSealed)
	}
	if err != nil {
		return fmt.Errorf("%w: opening the age file: %w", ErrDamaged, err)
	}
	w := sparse{dst: dst}
	if err := r.pump(&w, plain, sha256.New(), e.Plain); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, stored); err != nil {
		return fmt.Errorf("%w: reading it: %w", ErrDamaged, err)
	}
	switch {
	case w.at != e.Plain || stored.n != e.Size:
		return fmt.Errorf("%w: %d bytes with %d in them, not %d with %d", ErrDamaged, stored.n, w.at, e.Size, e.Plain)
	case [32]byte(sum.Sum(nil)) != e.SHA256:
		return fmt.Errorf("%w: its SHA-256 is another", ErrDamaged)
	}
	return nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
