package powercut

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/manifest"
	"weir/internal/vault"
)

const (
	sender = "prod"
	source = "tree"
)

// world is everything that a sender has to send: the same for the same seed, so
// that the process that checks knows what the one that wrote has sent.
type world struct {
	key   ed25519.PrivateKey
	shots []*shot
	sizes map[vault.ObjectID]int
}

// shot is a snapshot of it.
type shot struct {
	vault.Snapshot
	files  []item
	object []byte // the manifest, compressed
	ref    vault.ManifestRef
}

type item struct {
	path string
	id   vault.ObjectID
	size int
	sum  [32]byte
	old  bool // sent with an earlier snapshot
}

func newWorld(seed uint64, snapshots int) *world {
	w := &world{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)), sizes: map[vault.ObjectID]int{}}
	rng := rand.New(rand.NewPCG(seed, 1))
	var files []item
	var previous vault.Hash
	for n := 1; n <= snapshots; n++ {
		files = w.next(rng, files, n)
		s := &shot{files: files, Snapshot: vault.Snapshot{
			Sender: sender, Source: source, Number: uint64(n), Taken: time.Unix(1.9e9, 0).UTC().Add(time.Duration(n) * time.Hour),
		}}
		w.seal(s, previous)
		previous = s.ref.SHA256
		w.shots = append(w.shots, s)
	}
	return w
}

// next keeps some of the files and makes some anew. Now and then there are more
// than are synced one by one.
func (w *world) next(rng *rand.Rand, old []item, number int) []item {
	var files []item
	for _, f := range old {
		if f.old = true; rng.IntN(4) > 0 && len(files) < 40 {
			files = append(files, f)
		}
	}
	fresh := 1 + rng.IntN(6)
	if number%8 == 0 {
		fresh = 60
	}
	for i := range fresh {
		size := []int{0, 1 + rng.IntN(5000), 1 + rng.IntN(5000), 70000, 1<<20 + rng.IntN(2<<20)}[rng.IntN(5)]
		if fresh > 10 {
			size = 1 + rng.IntN(3000)
		}
		f := item{path: fmt.Sprintf("d%d/%d-%d", i%3, number, i), size: size}
		binary.BigEndian.PutUint64(f.id[:], uint64(number))
		binary.BigEndian.PutUint64(f.id[8:], uint64(i)+1)
		f.id[2] = byte(i) // into other directories
		f.sum = sha256.Sum256(content(f.id, size))
		w.sizes[f.id] = size
		files = append(files, f)
	}
	return files
}

func content(id vault.ObjectID, size int) []byte {
	var seed [32]byte
	copy(seed[:], id[:])
	b := make([]byte, size)
	rand.NewChaCha8(seed).Read(b)
	return b
}

// seal makes the manifest. What goes wrong here is a mistake of the test.
func (w *world) seal(s *shot, previous vault.Hash) {
	var text bytes.Buffer
	m, err := manifest.NewWriter(&text, manifest.Header{Sender: sender, Source: source, Number: s.Number, Taken: s.Taken, Previous: previous})
	must(err)
	files := slices.Clone(s.files)
	slices.SortFunc(files, func(a, b item) int { return manifest.ComparePath(a.path, b.path) })
	for _, f := range files {
		e := manifest.Entry{Path: f.path, Kind: manifest.File, Size: int64(f.size), SHA256: f.sum, Mode: 0o644}
		if f.size > 0 {
			e.Object = f.id
		}
		must(m.Add(&e))
	}
	_, err = m.Close()
	must(err)
	zip, err := zstd.NewWriter(nil)
	must(err)
	s.object = zip.EncodeAll(text.Bytes(), nil)
	id := vault.ObjectID{0xff}
	binary.BigEndian.PutUint64(id[8:], s.Number)
	s.ref = vault.ManifestRef{
		Object: id, ObjectSize: int64(len(s.object)), Size: int64(text.Len()), SHA256: sha256.Sum256(text.Bytes()),
		Previous: previous, Signature: manifest.Sign(w.key, m.Digest()), PublicKey: w.key.Public().(ed25519.PublicKey),
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// send gives a snapshot to a vault, in pieces and out of order. Some pieces are
// lost on the way if there is chance; a later pass brings them.
func (w *world) send(v *vault.Vault, s *shot, chance *rand.Rand) {
	v.Touch(s.Snapshot)
	for _, f := range s.files {
		if f.size == 0 || f.old && chance != nil {
			continue
		}
		w.object(v, s, f.id, content(f.id, f.size), chance)
		if chance != nil && !s.lacking() && chance.IntN(6) == 0 {
			v.Settle(chance.IntN(2) == 0)
		}
	}
	w.object(v, s, s.ref.Object, s.object, nil)
	v.CloseSnapshot(s.Snapshot, s.ref)
	settle(v)
}

// settle lets the vault settle until nothing goes on beside it.
func settle(v *vault.Vault) {
	for v.Settle(true); v.Building(); v.Settle(true) {
		time.Sleep(time.Millisecond)
	}
}

const piece = 256 << 10

// lacking reports whether very many small files of it are to lack something at first,
// so that their maps are saved together.
func (s *shot) lacking() bool { return s.Number%16 == 8 }

func (w *world) object(v *vault.Vault, s *shot, id vault.ObjectID, b []byte, chance *rand.Rand) {
	end := func() { v.EndObject(s.Snapshot, id, int64(len(b)), sha256.Sum256(b), nil) }
	if chance != nil && s.lacking() && len(b) < piece && chance.IntN(2) > 0 {
		v.WriteRange(s.Snapshot, id, int64(len(b)/2), b[len(b)/2:])
		end()
		return
	}
	if chance == nil || len(b) < piece && chance.IntN(4) > 0 {
		v.WriteRange(s.Snapshot, id, 0, b)
		end()
		return
	}
	var offs []int
	for off := 0; off < len(b); off += piece {
		offs = append(offs, off)
	}
	chance.Shuffle(len(offs), func(i, j int) { offs[i], offs[j] = offs[j], offs[i] })
	for i, off := range offs {
		if i == len(offs)/2 {
			end()
		}
		if chance.IntN(20) > 0 {
			v.WriteRange(s.Snapshot, id, int64(off), b[off:min(off+piece, len(b))])
		}
	}
	end()
}
