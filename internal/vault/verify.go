package vault

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/manifest"
)

// maxFindings bounds the findings that a report names one by one.
const maxFindings = 1000

// Finding is one thing that is wrong with a snapshot.
type Finding struct {
	Path string // in the snapshot, or a file of the restore point itself
	What string

	own    bool     // it is a file of the restore point itself
	object ObjectID // of the file in the snapshot
	at     fileID   // what was read
	gone   bool     // there was nothing to read
}

// outdated reports whether there is something else now than what was found.
func (f *Finding) outdated(at fileID) bool { return at != f.at && (f.gone || f.at != fileID{}) }

// String returns the finding as a line for an operator.
func (f Finding) String() string {
	if f.Path == "" {
		return f.What
	}
	return fmt.Sprintf("%q: %s", f.Path, f.What)
}

// Report says what Verify found.
type Report struct {
	Files    int64
	Bytes    int64
	Findings []Finding // empty if all is good
	More     int64     // findings beyond those listed
}

func (r *Report) add(path, what string, args ...any) {
	r.put(Finding{Path: path, What: fmt.Sprintf(what, args...), own: true})
}

func (r *Report) put(f Finding) {
	if len(r.Findings) >= maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// verifier is one Verify under way.
type verifier struct {
	ctx      context.Context
	found    Found
	root     *os.Root
	progress func(int64)
	sound    func(*manifest.Entry) bool // whether a file need not be read; may be nil
	report   Report
	at       fileID    // of the file that was read last
	gone     bool      // there was none
	sums     hash.Hash // of the SHA256SUMS that should be there
	names    map[string]bool
	line     []byte
	buf      []byte
	links    linkedFiles
	linked   map[fileID]content // files with several names in the snapshot that are good
}

// Verify reads every byte of a snapshot again and compares it with the manifest,
// checks the manifest's signature against the sender's keys, SHA256SUMS against
// the manifest, and looks for files that do not belong. What is wrong is in the
// report; an error means that it could not be found out.
func Verify(ctx context.Context, dir string, f Found, progress func(bytes int64)) (Report, error) {
	v := &verifier{ctx: ctx, found: f, progress: progress, sums: sha256.New(), names: map[string]bool{}}
	return v.run(layout{dir})
}

// run finds out what is wrong. What is gone as a whole is not damaged.
func (v *verifier) run(l layout) (Report, error) {
	report, err := v.check(l)
	if (err != nil || len(report.Findings) > 0) && !exists(v.found.Dir) {
		return Report{}, fmt.Errorf("%s: %w", v.found.Ref(), ErrRemoved)
	}
	return report, err
}

func (v *verifier) check(l layout) (Report, error) {
	if v.found.Manifest == "" {
		v.report.add("", "its manifest has not come")
		return v.report, nil
	}
	if err := v.manifest(l); err != nil {
		return v.report, err
	}
	if !v.found.published() {
		v.missing(l.dir)
		return v.report, nil
	}
	return v.report, v.tree()
}

// manifest checks the form and the signature of the manifest.
func (v *verifier) manifest(l layout) error {
	file, err := os.Open(v.found.Manifest)
	if err != nil {
		return fmt.Errorf("opening the manifest: %w", err)
	}
	defer file.Close()
	r, err := manifest.NewReader(file, manifest.Limits{})
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		v.report.add(manifestFile, "%v", err)
		return nil
	}
	armored, err := os.ReadFile(filepath.Join(v.found.Dir, sigFile))
	if err != nil {
		v.report.add(sigFile, "%v", err)
		return nil
	}
	pub, sig, err := manifest.Unarmor(armored)
	switch {
	case err != nil:
		v.report.add(sigFile, "%v", err)
	case !manifest.Verify(pub, r.Digest(), sig):
		v.report.add(sigFile, "it does not sign this manifest")
	case !isSigner(l, v.found.Sender, pub):
		v.report.add(sigFile, "its key is not one of %s in %s", v.found.Sender, l.own(signersFile))
	}
	h := r.Header()
	if s := (Snapshot{h.Sender, h.Source, h.Number, h.Taken}); s.check() != nil || s.Ref() != v.found.Ref() {
		v.report.add(manifestFile, "it is of another snapshot")
	}
	return nil
}

func isSigner(l layout, sender string, pub ed25519.PublicKey) bool {
	data, err := os.ReadFile(l.own(signersFile))
	want := manifest.AllowedSigner(sender, pub)
	return err == nil && slices.Contains(strings.Split(string(data), "\n"), want)
}

// missing reports what a snapshot that is not whole lacks.
func (v *verifier) missing(dir string) {
	for m, err := range Missing(dir, v.found) {
		if err != nil {
			v.report.add(manifestFile, "%v", err)
			return
		}
		v.report.add(m.Path, "not whole, %d ranges are missing", len(m.Ranges))
	}
	if len(v.report.Findings) == 0 {
		v.report.add("", "it is not published yet")
	}
}

// tree compares the published tree with the manifest.
func (v *verifier) tree() error {
	root, err := os.OpenRoot(filepath.Join(v.found.Dir, dataDir))
	if err != nil {
		v.report.add(dataDir, "%v", err)
		return nil
	}
	defer root.Close()
	v.root = root
	v.linked = map[fileID]content{}
	if v.links, err = hardlinkTargets(v.found.Manifest); err != nil {
		return nil // reported with the manifest
	}
	if err := eachEntry(v.found.Manifest, v.entry); err != nil {
		if v.ctx.Err() != nil {
			return v.ctx.Err()
		}
		return nil
	}
	v.checkSums()
	if v.sound != nil {
		return nil // a look at what should be there
	}
	return v.strays()
}

func (v *verifier) entry(e *manifest.Entry) error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	switch e.Kind {
	case manifest.Dir:
		v.name(e.Path)
	case manifest.Hardlink:
		if target := v.links[e.Target]; target.good {
			v.file(target.entry(e.Path))
		}
	case manifest.File:
		v.links.note(e)
		if isObject(e) || e.Size == 0 && e.Problem == "" {
			v.file(e)
		}
	}
	return nil
}

// name remembers what belongs into the tree.
func (v *verifier) name(path string) {
	if v.sound == nil {
		v.names[path] = true
	}
}

// file reads one file and compares it.
func (v *verifier) file(e *manifest.Entry) {
	v.name(e.Path)
	v.line = manifest.AppendSumLine(v.line[:0], e.SHA256, dataDir+"/"+e.Path)
	v.sums.Write(v.line)
	v.report.Files++
	if v.sound != nil && v.sound(e) || v.wasRead(e) {
		return
	}
	sum, size, err := v.read(e.Path)
	v.report.Bytes += size
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.wrong(e, "it is gone")
	case err != nil:
		v.wrong(e, err.Error())
	case size != e.Size:
		v.wrong(e, fmt.Sprintf("it has %d bytes, the manifest says %d", size, e.Size))
	case sum != Hash(e.SHA256):
		v.wrong(e, fmt.Sprintf("its SHA-256 is %v, the manifest says %v", sum, Hash(e.SHA256)))
	case v.links[e.Path].good && len(v.linked) < maxGood:
		v.linked[v.at] = content{size, sum}
	}
}

// wasRead reports whether a file was read, and good, under another of its names.
func (v *verifier) wasRead(e *manifest.Entry) bool {
	if len(v.linked) == 0 {
		return false
	}
	st, err := v.root.Lstat(e.Path)
	return err == nil && st.Mode().IsRegular() && v.linked[idOfInfo(st)] == content{e.Size, Hash(e.SHA256)}
}

// wrong adds what is wrong with the file that the manifest lists and that was read.
func (v *verifier) wrong(e *manifest.Entry, what string) {
	v.report.put(Finding{Path: e.Path, What: what, object: ObjectID(e.Object), at: v.at, gone: v.gone})
}

// read reads a file, and notes which one it was.
func (v *verifier) read(p string) (Hash, int64, error) {
	v.at, v.gone = fileID{}, false
	f, err := v.root.Open(p)
	if err != nil {
		v.gone = errors.Is(err, fs.ErrNotExist)
		return Hash{}, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return Hash{}, 0, errors.Join(err, errors.New("it is no regular file"))
	}
	v.at, _ = idOf(f)
	h := sha256.New()
	if int64(len(v.buf)) < min(st.Size(), scrubBuffer) || v.buf == nil { // one for all files: most are smaller
		v.buf = make([]byte, min(2*max(st.Size(), scrubBuffer/64), scrubBuffer))
	}
	n, err := io.CopyBuffer(&counter{h, v.ctx, v.progress}, struct{ io.Reader }{f}, v.buf)
	var sum Hash
	h.Sum(sum[:0])
	return sum, n, err
}

// counter tells of the bytes that pass, and stops when its context ends.
type counter struct {
	io.Writer
	ctx  context.Context
	tell func(int64)
}

func (c *counter) Write(p []byte) (int, error) {
	if c.tell != nil {
		c.tell(int64(len(p)))
	}
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Writer.Write(p)
}

// checkSums compares SHA256SUMS with what the manifest makes it.
func (v *verifier) checkSums() {
	sum, _, err := sumFile(filepath.Join(v.found.Dir, sumsFile))
	if err != nil {
		v.report.add(sumsFile, "%v", err)
	} else if !bytes.Equal(sum[:], v.sums.Sum(nil)) {
		v.report.add(sumsFile, "it does not agree with the manifest")
	}
}

// strays looks for what the manifest does not list, and for other files beside
// the tree.
func (v *verifier) strays() error {
	for p := range v.names {
		for d := parent(p); d != "" && !v.names[d]; d = parent(d) {
			v.names[d] = true
		}
	}
	err := walk(filepath.Join(v.found.Dir, dataDir), func(p []byte, err error) error {
		if err != nil {
			v.report.add(string(p), "%v", err)
		} else if !v.names[string(p)] {
			v.report.add(string(p), "the manifest does not list it")
		}
		return v.ctx.Err()
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(v.found.Dir)
	if err != nil {
		return fmt.Errorf("listing %s: %w", v.found.Dir, err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{dataDir, manifestFile, sigFile, sumsFile}, e.Name()) {
			v.report.add(path.Clean(e.Name()), "it does not belong here")
		}
	}
	return nil
}
