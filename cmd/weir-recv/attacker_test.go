package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/fec"
	"weir/internal/keyoffer"
	"weir/internal/vault"
	"weir/protocol"
	"weir/receiver"
)

// attacker owns the sender and everything on the link.
type attacker struct {
	t      testing.TB
	dir    string
	script []byte
	acts   int

	key      hpke.PrivateKey
	signer   ed25519.PrivateKey
	vault    *vault.Vault
	recv     *receiver.Receiver
	clock    sync.Mutex // over now
	now      time.Time
	announce []byte
	sealer   *protocol.Sealer
	counter  uint64
	block    uint64
	frames   [][]byte // sent so far, some of them
	drop     byte     // which frames of each block are lost
	sent     int64    // bytes

	trusted, revoked []ed25519.PublicKey // by the operator
	offered          map[string]bool     // keys that somebody offered who could
	more             int                 // lanes beside the first
	oddLane          bool                // some frames go over lanes that there are not
	apart            bool                // restore points are built beside what comes

	published map[string][32]byte // sum of everything in a restore point when it became whole
	others    [32]byte            // sum of what is not the sender's
}

// shape is that of the attacker's blocks: small ones, for speed.
var shape = protocol.Geometry{K: 4, M: 2, Depth: 2, Symbol: 512}

const blockMemory = 16 << 20

func newAttacker(t testing.TB, script []byte) *attacker {
	a := &attacker{t: t, dir: tempDir(t), script: script, now: time.Unix(1.7e9, 0), published: map[string][32]byte{}, offered: map[string]bool{}}
	a.key, a.signer = fixedKey(), keyOf(0)
	a.trusted = []ed25519.PublicKey{public(a.signer)}
	for path, text := range map[string]string{
		"outside/keep": "not the vault's", "vault/other/etc/2026-11-23T010000Z.000001/data/keep": "another sender's",
		"vault/lost+found/keep": "the file system's",
	} {
		path = filepath.Join(a.dir, path)
		a.must(os.MkdirAll(filepath.Dir(path), 0o755))
		a.must(os.WriteFile(path, []byte(text), 0o444))
	}
	a.others = a.sumOthers()
	a.start()
	a.open(shape)
	return a
}

// fixedKey is the same in every run: making one is dear.
var fixedKey = sync.OnceValue(func() hpke.PrivateKey {
	key, err := protocol.KEM().GenerateKey()
	if err != nil {
		panic(err)
	}
	return key
})

// tempDir is t.TempDir for trees with read-only directories.
func tempDir(t testing.TB) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	return dir
}

func (a *attacker) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *attacker) time() time.Time {
	a.clock.Lock()
	defer a.clock.Unlock()
	return a.now
}

// start starts receiver and vault as the service does.
func (a *attacker) start() {
	a.t.Helper()
	senders, revoked := map[string][]ed25519.PublicKey{"prod": a.trusted}, map[string][]ed25519.PublicKey{"prod": a.revoked}
	opt := vault.Options{Log: zerolog.Nop(), Now: a.time, Signers: senders, Revoked: revoked, OnPublish: a.onPublish}
	if a.apart {
		opt.Beside = -1
	}
	s := &service{log: zerolog.Nop(), seen: newSeen(), toldOffer: map[string]time.Time{}}
	var err error
	a.vault, err = vault.Open(filepath.Join(a.dir, "vault"), opt)
	a.must(err)
	s.offers, err = keyoffer.Open(filepath.Join(a.dir, "vault"), a.time)
	a.must(err)
	a.recv, err = receiver.New(receiver.Config{
		Roster: newRoster([]hpke.PrivateKey{a.key}, senders, revoked), Memory: blockMemory, State: filepath.Join(a.dir, "receiver.state"),
		Log: zerolog.Nop(), Now: a.time, Sink: &sink{vault: a.vault, log: zerolog.Nop(), seen: s.seen},
		Offered: s.offered, Stranger: s.stranger,
	})
	a.must(err)
}

func (a *attacker) onPublish(i vault.Info) {
	ref := i.Snapshot().Ref()
	a.signedByTrusted(ref)
	a.published[ref] = a.sumTree(filepath.Join(a.dir, "vault", ref))
}

// end closes everything once nothing is built any more: on a busy machine any snapshot
// may be what takes too long to be built at once.
func (a *attacker) end() {
	a.t.Helper()
	a.must(a.recv.Close())
	for a.must(a.vault.Settle(true)); a.vault.Building(); a.must(a.vault.Settle(true)) {
		time.Sleep(time.Millisecond)
	}
	a.must(a.vault.Close())
}

// open makes a session of blocks no larger than g, if there can be such.
func (a *attacker) open(g protocol.Geometry) {
	a.counter++
	p := protocol.Params{Sender: "prod", Counter: a.counter, Start: a.now.UnixNano(), Rate: 1e9, Geometry: g}
	announce, sealer, err := protocol.NewSession(p, a.key.PublicKey(), a.signer)
	if err != nil {
		return
	}
	a.announce, a.sealer, a.block = announce, sealer, 0
	a.deliver(announce)
}

func (a *attacker) deliver(frame []byte) {
	a.sent += int64(len(frame))
	if len(a.frames) < 1000 {
		a.frames = append(a.frames, bytes.Clone(frame))
	}
	a.recv.Datagram(frame)
}

// send seals records into a block and sends those of its frames that are not to
// be lost.
func (a *attacker) send(records []byte) {
	if len(records) == 0 {
		return
	}
	buf := make([]byte, shape.BlockBytes())
	n := copy(buf[:shape.DataBytes()], records)
	code, err := fec.New(shape.K, shape.M)
	a.must(err)
	a.must(code.Encode(buf[:shape.DataBytes()], buf[shape.DataBytes():], shape.Shard()))
	a.block++
	for i := range shape.Symbols() {
		h := protocol.Header{Block: a.block, Shard: i / shape.Depth, Column: i % shape.Depth, Geometry: shape, Length: uint32(n), More: a.more}
		if h.Lane = (h.Shard + int(a.block)) % (a.more + 1) % protocol.MaxLanes; a.oddLane {
			h.Lane = (h.Lane + i) % protocol.MaxLanes
		}
		frame := a.sealer.Seal(nil, &h, buf[i*shape.Symbol:][:shape.Symbol])
		if a.drop&(1<<(i%8)) == 0 {
			a.deliver(frame)
		}
	}
}

// byte takes the next byte of the script; after its end there are zeros.
func (a *attacker) byte() byte {
	if len(a.script) == 0 {
		return 0
	}
	b := a.script[0]
	a.script = a.script[1:]
	return b
}

func (a *attacker) bytes(n int) []byte {
	n = min(n, len(a.script))
	b := a.script[:n]
	a.script = a.script[n:]
	return b
}

// number takes a byte and makes it a number of any magnitude, often an end of a
// range.
func (a *attacker) number() uint64 {
	switch b := a.byte(); {
	case b < 0x20:
		return uint64(b)
	case b < 0x60:
		return 1 << (b - 0x20)
	case b < 0xa0:
		return 1<<(b-0x60) - 1
	case b < 0xf0:
		return uint64(b) * 37
	default:
		var eight [8]byte
		copy(eight[:], a.bytes(8))
		return binary.BigEndian.Uint64(eight[:])
	}
}

// context takes a snapshot to speak of.
func (a *attacker) context() protocol.Context {
	c := protocol.Context{Source: []string{"a", "b", "weir", "lost-found"}[a.byte()%4], Number: 1, Taken: 1.7e18}
	if b := a.byte(); b < 200 {
		c.Number = uint64(b%4) + 1
	} else {
		c.Number = a.number()
	}
	switch a.acts % 16 {
	case 13:
		c.Taken = math.MaxInt64
	case 14:
		c.Taken = math.MinInt64
	case 15:
		c.Taken = int64(a.number())
	}
	return c
}

// object is content that the attacker has: a kind of id and a length.
type object struct {
	id      protocol.ObjectID
	content []byte
}

func objectOf(n byte) object {
	sizes := []int{1, 300, 4096, 9000}
	return object{protocol.ObjectID{1, n % 8}, bytes.Repeat([]byte{n % 8, 7, 0}, sizes[n%4])[:sizes[n%4]]}
}

func (o object) sum() protocol.Hash { return sha256.Sum256(o.content) }
