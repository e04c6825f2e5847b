package sender

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/event"
	"weir/internal/manifest"
	"weir/protocol"
)

// manifestWindow is how far back the compression of a manifest looks, in bytes. Hashes
// repeat nowhere and paths nearby: a larger one gains nothing, and costs memory.
const manifestWindow = 64 << 10

// manifestFile is a manifest while it is written: compressed, in a file that
// has no name, as it may be larger than the memory.
type manifestFile struct {
	file *os.File
	zip  *zstd.Encoder
	size int64 // of the text
	prev [32]byte
	*manifest.Writer
}

func newManifestFile(dir string, h manifest.Header) (*manifestFile, error) {
	f, err := os.CreateTemp(dir, "manifest-*")
	if err != nil {
		return nil, fmt.Errorf("making a file for the manifest: %w", err)
	}
	os.Remove(f.Name()) // an error leaves a small file behind, no more
	zip, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(manifestWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("compressing the manifest: %w", err)
	}
	m := &manifestFile{file: f, zip: zip, prev: h.Previous}
	if m.Writer, err = manifest.NewWriter(m, h); err != nil {
		f.Close()
		return nil, fmt.Errorf("beginning the manifest: %w", err)
	}
	return m, nil
}

// Write counts and compresses the text.
func (m *manifestFile) Write(p []byte) (int, error) {
	m.size += int64(len(p))
	return m.zip.Write(p)
}

func (m *manifestFile) add(e *manifest.Entry) error {
	if err := m.Add(e); err != nil {
		return fmt.Errorf("listing %q: %w", e.Path, err)
	}
	return nil
}

func (m *manifestFile) finish() (manifest.Trailer, error) {
	t, err := m.Writer.Close()
	if zerr := m.zip.Close(); err == nil {
		err = zerr
	}
	if err != nil {
		return t, fmt.Errorf("writing the manifest: %w", err)
	}
	return t, nil
}

func (m *manifestFile) close() { m.file.Close() }

// closing sends the manifest and what closes the snapshot, twice.
func (s *snapshot) closing(ctx context.Context) error {
	trailer, err := s.manifest.finish()
	if err != nil {
		return err
	}
	s.result.Files, s.result.Bytes = trailer.Files, trailer.Bytes
	record, err := s.sendManifest(ctx)
	if err != nil {
		return err
	}
	if err := s.spool.sync(); err != nil { // what it has may not outlive a power cut
		s.notSpooled(err)
	}
	// Once the manifest may have left, the vault waits for what lacks: from here on
	// a later start has to be able to finish the snapshot.
	sent := s.remember(record)
	err = s.cfg.State.setLatest(s.job.Source, latest{Number: s.result.Number, Taken: s.result.Taken.UnixNano(), Manifest: record.SHA256})
	if err != nil {
		return err
	}
	add := func(b []byte) []byte { return protocol.AppendManifest(b, record) }
	if err := s.packer.record(ctx, protocol.ManifestSize, add); err != nil {
		return err
	}
	gap := func() error { return s.pause(ctx, tailGap(s.cfg.Burst)) }
	if err := s.packer.finish(ctx, gap); err != nil {
		return err
	}
	if s.job.Stream == nil {
		if err := s.recall.finish(); err != nil {
			return err
		}
	}
	return s.finished(sent)
}

// remember keeps what it takes to send the snapshot again, and to finish it after
// the program was killed. Trouble with that is no reason not to send it.
func (s *snapshot) remember(m *protocol.Manifest) *Sent {
	r := &s.result
	sent := &Sent{
		Source: r.Source, Number: r.Number, Taken: r.Taken, Paths: s.job.Paths, Object: m.Object, Stored: int64(m.ObjectSize), Size: int64(m.Size),
		SHA256: m.SHA256, Previous: m.Previous, Signature: m.Signature[:], Signer: keyID(s.cfg.Signer), Files: r.Files, Bytes: r.Bytes, New: r.SentFiles, NewBytes: r.SentBytes,
	}
	err := s.history.keep(sent, io.NewSectionReader(s.manifest.file, 0, sent.Stored))
	if err == nil {
		return sent
	}
	s.cfg.Log.Error().Str(event.Field, event.Failed).Str("snapshot", r.Name()).Err(err).
		Msg("the snapshot is sent, but it cannot be sent again")
	return nil
}

// finished notes the first pass of a snapshot; sent is nil if it could not be
// remembered. The first snapshot of a source is all of it, as a refresh is.
func (s *snapshot) finished(sent *Sent) error {
	if sent == nil { // the next start must not call it abandoned
		return s.cfg.State.begin(s.job.Source, s.result.Number, s.result.Taken, s.manifest.Sum())
	}
	sent.Passes = []time.Time{s.cfg.Clock.Now().UTC()}
	err := s.cfg.State.saveSent(sent)
	if err == nil && (s.job.All || s.cfg.State.refreshTime(sent.Source, keyRefreshed).IsZero()) {
		err = s.cfg.State.setRefreshTime(sent.Source, keyRefreshed, s.started)
	}
	return err
}

// tailGap is the time between the tail and its repetition: more than any outage
// that parity bridges elsewhere.
func tailGap(burst time.Duration) time.Duration { return 2*burst + 50*time.Millisecond }

// sendManifest sends the compressed manifest as an object.
func (s *snapshot) sendManifest(ctx context.Context) (*protocol.Manifest, error) {
	info, err := s.manifest.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest back: %w", err)
	}
	o := &object{id: s.newID(), hash: sha256.New(), raw: true}
	counted := s.result.SentBytes
	s.job.Progress = nil // it was promised content only
	r := io.NewSectionReader(s.manifest.file, 0, info.Size())
	n, err := s.sendRange(ctx, r, info.Size(), o)
	s.result.SentBytes = counted
	if err != nil {
		return nil, fmt.Errorf("sending the manifest: %w", err)
	}
	if err := s.packer.end(ctx, o.end(), nil); err != nil {
		return nil, err
	}
	return &protocol.Manifest{
		Object: o.id, ObjectSize: uint64(n), Size: uint64(s.manifest.size),
		SHA256: s.manifest.Sum(), Previous: s.manifest.prev,
		Signature: manifest.Sign(s.cfg.Signer, s.manifest.Digest()),
	}, nil
}
