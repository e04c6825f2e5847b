package vault

import (
	"crypto/sha256"
	"io"

	"weir/internal/manifest"
)

// sumsOf writes the SHA256SUMS that belong to a manifest, and returns their hash.
func sumsOf(manifestPath string, w io.Writer) (sum Hash, err error) {
	links, err := hardlinkTargets(manifestPath)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	w = io.MultiWriter(h, w)
	var line []byte
	put := func(e *manifest.Entry) error {
		line = manifest.AppendSumLine(line[:0], e.SHA256, dataDir+"/"+e.Path)
		_, err := w.Write(line)
		return err
	}
	err = eachEntry(manifestPath, func(e *manifest.Entry) error {
		switch {
		case e.Kind == manifest.Hardlink && links[e.Target].good:
			return put(links[e.Target].entry(e.Path))
		case e.Kind == manifest.File:
			links.note(e)
			if isObject(e) || e.Size == 0 && e.Problem == "" {
				return put(e)
			}
		}
		return nil
	})
	h.Sum(sum[:0])
	return sum, err
}
