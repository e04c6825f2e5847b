package vault

import (
	"fmt"

	"weir/internal/manifest"
)

const (
	// maxLinked bounds what is remembered of the files that hard links lead to
	// while a restore point is built or verified, in bytes: about a million such
	// files. A manifest that needs more is refused.
	maxLinked = 256 << 20
	// linkedEntry is about what one of them takes beside its path, in bytes.
	linkedEntry = 160
)

// linkedFile is what of a file its hard links need. One that has not come up in
// the manifest, or could not be read, is not good.
type linkedFile struct {
	content
	object ObjectID
	good   bool
}

// entry returns the file under another name.
func (l linkedFile) entry(path string) *manifest.Entry {
	return &manifest.Entry{Path: path, Kind: manifest.File, Size: l.Size, SHA256: l.SHA256, Object: l.object}
}

// linkedFiles are the files that hard links of a manifest lead to, by path.
type linkedFiles map[string]linkedFile

// hardlinkTargets returns the paths that hard links of the manifest name. It
// returns ErrLimit where they are too many to remember.
func hardlinkTargets(path string) (linkedFiles, error) {
	return linkTargets(path, maxLinked, eachEntry)
}

func (b *builder) hardlinkTargets(path string) (linkedFiles, error) {
	return linkTargets(path, maxLinked, b.each)
}

// linkTargets reads the manifest with each.
func linkTargets(path string, most int, each func(string, func(*manifest.Entry) error) error) (linkedFiles, error) {
	targets, held := linkedFiles{}, 0
	err := each(path, func(e *manifest.Entry) error {
		if e.Kind != manifest.Hardlink {
			return nil
		}
		if _, ok := targets[e.Target]; ok {
			return nil
		}
		targets[e.Target] = linkedFile{}
		if held += len(e.Target) + linkedEntry; held > most {
			return fmt.Errorf("its hard links need more than %d bytes of memory: %w", most, ErrLimit)
		}
		return nil
	})
	return targets, err
}

// note remembers the content of a file that hard links lead to.
func (l linkedFiles) note(e *manifest.Entry) {
	if _, ok := l[e.Path]; ok {
		l[e.Path] = linkedFile{content{e.Size, e.SHA256}, e.Object, isObject(e) || e.Size == 0 && e.Problem == ""}
	}
}
