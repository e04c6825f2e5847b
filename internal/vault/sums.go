package vault

import (
	"crypto/sha256"
	"io"
	"os"
	"sync"

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

// sumFile returns the SHA-256 and the size of a file.
func sumFile(path string) (sum Hash, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	return sumReader(f)
}

// sumBuffers are kept between files: most are far smaller than a buffer.
var sumBuffers = sync.Pool{New: func() any { b := make([]byte, 1<<20); return &b }}

func sumReader(r io.Reader) (sum Hash, size int64, err error) {
	h := sha256.New()
	buf := sumBuffers.Get().(*[]byte)
	defer sumBuffers.Put(buf)
	// Without the methods that would make Copy choose a buffer of its own.
	size, err = io.CopyBuffer(h, struct{ io.Reader }{r}, *buf)
	h.Sum(sum[:0])
	return sum, size, err
}
