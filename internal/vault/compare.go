package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"weir/internal/event"
)

const (
	// maxListed bounds the hashes of published manifests that are remembered.
	maxListed = 1 << 16
	// maxClaims bounds the restore points whose manifests wait to be read, and
	// claimsEach what came for one of them meanwhile.
	maxClaims  = 1000
	claimsEach = 8
)

// compare holds a manifest against the one that is published. To read a large one
// takes seconds, and to ask for that costs its sender nothing: it is read beside.
func (v *Vault) compare(s Snapshot, ref ManifestRef) error {
	if !v.isPublished(s) || v.isRemoved(s) {
		return nil // it could not be noted, the disk makes trouble
	}
	if b := v.bare[s]; b != nil {
		return v.failed(v.expectManifest(s, b, ref))
	}
	if sum, ok := v.listed[s]; ok {
		return v.mustBe(s, sum, ref.SHA256)
	}
	path := filepath.Join(v.point(s), manifestFile)
	st, err := os.Lstat(path)
	if err != nil {
		return v.failed(err)
	}
	if st.Size() > v.opt.Beside {
		v.compareBeside(s, path, ref.SHA256)
		return nil
	}
	sum, _, err := sumFile(path)
	if err != nil {
		return v.failed(err)
	}
	v.remember(s, sum)
	return v.mustBe(s, sum, ref.SHA256)
}

// mustBe refuses a manifest that is not the one that is published.
func (v *Vault) mustBe(s Snapshot, sum, came Hash) error {
	if came == sum {
		return nil
	}
	v.noteOften(event.ManifestRefused, s, "another manifest for a restore point that is published: "+came.String())
	return fmt.Errorf("another manifest for %s: %w", s.Ref(), ErrConflict)
}

// compareBeside lets the published manifest be read beside, and what came be held against it
// then. Too much of that at a time is passed over: nothing stored depends on it.
func (v *Vault) compareBeside(s Snapshot, path string, came Hash) {
	claims, begun := v.claims[s]
	if !begun && len(v.claims) >= maxClaims || len(claims) >= claimsEach || slices.Contains(claims, came) {
		return
	}
	if v.claims[s] = append(claims, came); begun {
		return
	}
	var sum Hash
	v.later(s.Sender, chore{
		do:   func(stopped func() error) (err error) { sum, err = sumUnless(path, stopped); return err },
		then: func(err error) error { return v.settleClaims(s, sum, err) },
	})
}

func (v *Vault) settleClaims(s Snapshot, sum Hash, err error) error {
	claims := v.claims[s]
	delete(v.claims, s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	v.remember(s, sum)
	for _, came := range claims {
		if err := v.mustBe(s, sum, came); err != nil {
			v.log.Error().Str(event.Field, event.ManifestRefused).Str("snapshot", s.Ref()).Err(err).Msg("manifest refused")
		}
	}
	return nil
}

// remember keeps the hash of a published manifest.
func (v *Vault) remember(s Snapshot, sum Hash) {
	for old := range v.listed {
		if len(v.listed) < maxListed {
			break
		}
		delete(v.listed, old)
	}
	v.listed[s] = sum
}

// sumUnless returns the hash of a file, unless it is stopped before.
func sumUnless(path string, stopped func() error) (sum Hash, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	sum, _, err = sumReader(&diskReader{file: f, stopped: stopped})
	return sum, err
}

// breaksChain reports whether a manifest names another one before it than is stored
// here. That means that the sender's state was lost, or that somebody else wrote one of
// the two; either way an operator should know.
func (b *builder) breaksChain(p *pending) (bool, error) {
	dirs, err := filepath.Glob(filepath.Join(globQuote(b.dir), p.Sender, p.Source, fmt.Sprintf("*.%06d", p.Number-1)))
	if err != nil {
		return false, err
	}
	for _, dir := range dirs {
		sum, err := sumUnless(filepath.Join(dir, manifestFile), b.stopped)
		if serr := b.stopped(); serr != nil {
			return false, serr
		}
		if err == nil && sum == p.Ref.Previous {
			return false, nil
		}
	}
	return len(dirs) > 0, nil
}

// noteChain tells of a chain that is broken.
func (v *Vault) noteChain(p *pending) {
	if !p.broken {
		return
	}
	v.log.Warn().Str(event.Field, event.ManifestBroken).Str("snapshot", p.snap.Ref()).
		Msg("the manifest does not name the one before it that is stored here: was the sender's state lost?")
	v.note(event.ManifestBroken, p.snap, p.Ref.Previous.String())
}
