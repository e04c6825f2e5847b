package sender

import (
	"bytes"
	"crypto/ed25519"
	"io"

	"github.com/klauspost/compress/zstd"

	"weir/internal/manifest"
	"weir/protocol"
)

// received is one snapshot as the link carried it.
type received struct {
	header  manifest.Header
	entries map[string]*manifest.Entry
	order   []string
	record  protocol.Manifest
	objects map[protocol.ObjectID]*sentObject
	digest  [64]byte // that the manifest's signature is over
}

// standsAlone reports whether records of a kind are alone in a block.
func standsAlone(k protocol.RecordKind) bool {
	return k == protocol.RecordHeartbeat || k == protocol.RecordKeyChange || k == protocol.RecordAbandoned
}

// snapshotBlocks returns the blocks that are no heartbeats; there are two at the
// least.
func (l *memoryLink) snapshotBlocks() (all []sentBlock) {
	l.t.Helper()
	for _, b := range l.blocks {
		if !standsAlone(b.kinds[0]) {
			all = append(all, b)
		}
	}
	if len(all) < 2 {
		l.t.Fatalf("%d blocks", len(all))
	}
	return all
}

// snapshot reads the manifest as a receiver does.
func (l *memoryLink) snapshot(res *Result) *received {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.manifests) != 2 || l.manifests[0] != l.manifests[1] {
		l.t.Fatalf("%d manifests came, want two that are the same", len(l.manifests))
	}
	m := l.manifests[0]
	zip, err := zstd.NewReader(bytes.NewReader(l.content(m.Object)), zstd.WithDecoderConcurrency(1))
	if err != nil {
		l.t.Fatal(err)
	}
	defer zip.Close()
	r, err := manifest.NewReader(zip, manifest.Limits{})
	if err != nil {
		l.t.Fatal(err)
	}
	got := &received{header: r.Header(), entries: map[string]*manifest.Entry{}, record: m, objects: l.objects}
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			l.t.Fatal(err)
		}
		got.entries[e.Path], got.order = e, append(got.order, e.Path)
	}
	if r.Sum() != m.SHA256 || !manifest.Verify(l.signer.Public().(ed25519.PublicKey), r.Digest(), m.Signature) {
		l.t.Error("the manifest's hash or signature is wrong")
	}
	got.digest = r.Digest()
	if got.header.Number != res.Number || !got.header.Taken.Equal(res.Taken) || got.header.Previous != m.Previous {
		l.t.Errorf("header %+v does not belong to %+v", got.header, res)
	}
	return got
}
