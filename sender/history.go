package sender

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"

	"weir/internal/manifest"
	"weir/internal/rawpath"
	"weir/protocol"
)

// What is remembered of snapshots that were sent, unless the Config says
// otherwise.
const (
	DefaultHistory            = 64      // snapshots of each source
	DefaultHistoryBytes int64 = 2 << 30 // of manifests, in all
)

// Under each source's bucket lie the snapshots that were sent, by number, and
// the objects that were sent more than once.
var (
	bucketSent    = []byte("sent")
	bucketObjects = []byte("objects")
)

// ErrForgotten is returned for a snapshot that the history does not have.
var ErrForgotten = errors.New("nothing is remembered of it; weir-send list shows what is, and weir-send push sends all anew")

// Sent is a snapshot that was sent and is remembered: it can be sent again.
type Sent struct {
	Source    string            `json:"source"`
	Number    uint64            `json:"number"`
	Taken     time.Time         `json:"taken"`
	Paths     rawpath.List      `json:"paths,omitempty"` // absolute; none for a stream
	Object    protocol.ObjectID `json:"object"`          // the compressed manifest
	Stored    int64             `json:"stored"`          // its bytes
	Size      int64             `json:"size"`            // of the manifest file, bytes
	SHA256    protocol.Hash     `json:"sha256"`          // of the manifest file
	Previous  protocol.Hash     `json:"previous"`
	Signature []byte            `json:"signature"`
	// Signer is the key that made it; none in what was sent before that was noted.
	Signer protocol.KeyID `json:"signer,omitzero"`
	// StoredSHA256 is the hash of the compressed manifest.
	StoredSHA256 protocol.Hash `json:"stored_sha256"`
	Files        int64         `json:"files"` // in the snapshot
	Bytes        int64         `json:"bytes"`
	New          int64         `json:"new"`        // files that its first pass sent
	NewBytes     int64         `json:"new_bytes"`  // and their bytes
	Passes       []time.Time   `json:"passes"`     // when each was done
	Owed         int64         `json:"owed"`       // files that the last pass could not send
	OwedBytes    int64         `json:"owed_bytes"` // and their bytes
	Resent       int64         `json:"resent"`     // bytes that repair codes asked for
	ResentAt     time.Time     `json:"resent_at,omitzero"`
	Released     bool          `json:"released,omitempty"` // the spool does not keep its content any longer
}

// Name returns the snapshot's name, as the vault calls it.
func (s *Sent) Name() string {
	return (&Result{Taken: s.Taken, Number: s.Number}).Name()
}

func (s *Sent) context() protocol.Context {
	return protocol.Context{Source: s.Source, Number: s.Number, Taken: s.Taken.UnixNano()}
}

func (s *Sent) record() *protocol.Manifest {
	m := &protocol.Manifest{Object: s.Object, ObjectSize: uint64(s.Stored), Size: uint64(s.Size), SHA256: s.SHA256, Previous: s.Previous}
	copy(m.Signature[:], s.Signature)
	return m
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// saveSent remembers a snapshot that was sent, or what became of it since.
func (s *State) saveSent(sent *Sent) error {
	data, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	defer s.changes.Add(1)
	err = s.update(func(tx *bbolt.Tx) error {
		b, err := tx.Bucket(bucketSources).Bucket([]byte(sent.Source)).CreateBucketIfNotExists(bucketSent)
		if err != nil {
			return err
		}
		if err := noteBegun(tx, sent.Source, sent.Number, sent.Taken, sent.SHA256); err != nil {
			return err
		}
		return b.Put(numberKey(sent.Number), data)
	})
	if err != nil {
		return fmt.Errorf("remembering snapshot %d of %s: %w", sent.Number, sent.Source, err)
	}
	return nil
}

// Sent returns the snapshots that are remembered, by source and number.
func (s *State) Sent() (all []*Sent, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		sources := tx.Bucket(bucketSources)
		return sources.ForEachBucket(func(name []byte) error {
			b := sources.Bucket(name).Bucket(bucketSent)
			if b == nil {
				return nil
			}
			return b.ForEach(func(_, data []byte) error {
				one := &Sent{}
				if err := json.Unmarshal(data, one); err != nil {
					return err
				}
				all = append(all, one)
				return nil
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading what was sent: %w", err)
	}
	return all, nil
}

// noteResent adds to what repair codes had sent of a snapshot.
func (s *State) noteResent(sent *Sent, bytes int64, now time.Time) error {
	fresh, err := s.sent(sent.Source, sent.Number)
	if err != nil {
		return err
	}
	fresh.Resent += bytes
	fresh.ResentAt = now.UTC()
	return s.saveSent(fresh)
}

// sent returns one snapshot; ErrForgotten if it is not remembered.
func (s *State) sent(source string, n uint64) (*Sent, error) {
	one := &Sent{}
	err := s.view(func(tx *bbolt.Tx) error {
		src := tx.Bucket(bucketSources).Bucket([]byte(source))
		if src == nil || src.Bucket(bucketSent) == nil {
			return ErrForgotten
		}
		data := src.Bucket(bucketSent).Get(numberKey(n))
		if data == nil {
			return ErrForgotten
		}
		return json.Unmarshal(data, one)
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot %d of %s: %w", n, source, err)
	}
	return one, nil
}

// forgetSent drops a snapshot, and the counts of objects that are not kept.
func (s *State) forgetSent(source string, n uint64, objects []protocol.ObjectID) error {
	defer s.changes.Add(1)
	err := s.update(func(tx *bbolt.Tx) error {
		src := tx.Bucket(bucketSources).Bucket([]byte(source))
		if b := src.Bucket(bucketObjects); b != nil {
			for _, id := range objects {
				if err := b.Delete(id[:]); err != nil {
					return err
				}
			}
		}
		return src.Bucket(bucketSent).Delete(numberKey(n))
	})
	if err != nil {
		return fmt.Errorf("forgetting snapshot %d of %s: %w", n, source, err)
	}
	return nil
}

// history keeps the manifests of what was sent, compressed as they were sent.
type history struct {
	dir   string
	state *State
	most  int   // snapshots of a source
	bytes int64 // in all
}

func (h *history) path(source string, n uint64) string {
	return filepath.Join(h.dir, fmt.Sprintf("%s.%d.zst", source, n))
}

// keep stores the manifest and then the snapshot it belongs to.
func (h *history) keep(sent *Sent, from io.Reader) error {
	sum := sha256.New()
	if err := h.store(h.path(sent.Source, sent.Number), io.TeeReader(from, sum)); err != nil {
		return fmt.Errorf("keeping the manifest: %w", err)
	}
	sum.Sum(sent.StoredSHA256[:0])
	if err := h.state.saveSent(sent); err != nil {
		return err
	}
	return h.trim()
}

func (h *history) store(path string, from io.Reader) error {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(h.dir, "new-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// trim forgets the oldest snapshots that are above the limits; the latest of each
// source stays.
func (h *history) trim() error {
	all, err := h.state.Sent()
	if err != nil {
		return err
	}
	count, total := map[string]int{}, int64(0)
	for _, s := range all {
		count[s.Source]++
		total += s.Stored
	}
	for len(all) > 0 {
		oldest := -1
		for i, s := range all {
			// Within a source by number: the clock may have been set back since.
			if i > 0 && all[i-1].Source == s.Source {
				continue
			}
			over := count[s.Source] > h.most || total > h.bytes && count[s.Source] > 1
			if over && (oldest < 0 || s.Taken.Before(all[oldest].Taken)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		s := all[oldest]
		if err := h.forget(s); err != nil {
			return err
		}
		count[s.Source]--
		total -= s.Stored
		all = append(all[:oldest], all[oldest+1:]...)
	}
	return nil
}

// forget drops a snapshot. Objects that the next one lists under the same path
// keep their counts.
func (h *history) forget(s *Sent) error {
	var objects []protocol.ObjectID
	err := h.each(s, func(e *manifest.Entry) error {
		if !h.listed(s.Source, e) {
			objects = append(objects, e.Object)
		}
		return nil
	})
	if err != nil {
		objects = nil // it is damaged; some counts stay, of 28 bytes each
	}
	if err := h.state.forgetSent(s.Source, s.Number, objects); err != nil {
		return err
	}
	if err := os.Remove(h.path(s.Source, s.Number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting a manifest: %w", err)
	}
	return nil
}

// listed reports whether the file is now as the entry says, so that later
// snapshots list the same object.
func (h *history) listed(source string, e *manifest.Entry) bool {
	v, ok := h.state.known(source, e.Path)
	return ok && v.Object == e.Object
}

// each reads a manifest and visits the entries that have an object.
func (h *history) each(s *Sent, visit func(e *manifest.Entry) error) error {
	f, err := os.Open(h.path(s.Source, s.Number))
	if err != nil {
		return s.damaged(err)
	}
	defer f.Close()
	zip, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return s.damaged(err)
	}
	defer zip.Close()
	r, err := manifest.NewReader(zip, manifest.Limits{})
	if err != nil {
		return s.damaged(err)
	}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s.damaged(err)
		}
		if e.Kind != manifest.File || e.Object == ([16]byte{}) {
			continue
		}
		if err := visit(e); err != nil {
			return err
		}
	}
}

func (s *Sent) damaged(err error) error {
	return fmt.Errorf("reading the kept manifest of %s/%s: %w: %w", s.Source, s.Name(), err, ErrForgotten)
}
