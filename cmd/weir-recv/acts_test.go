package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/manifest"
	"weir/internal/names"
	"weir/protocol"
)

// goodSnapshot sends a snapshot as an honest sender does.
func (a *attacker) goodSnapshot() {
	c, files := a.context(), a.byte()
	text := a.manifestOf(c, files)
	a.sendObjects(c, files)
	a.sendManifest(c, text, a.sign(text), nil)
}

// badSnapshot sends one with a manifest that was tampered with and signed again.
func (a *attacker) badSnapshot() {
	c, files := a.context(), a.byte()
	text := a.tamper(a.manifestOf(c, files))
	a.sendObjects(c, files)
	var spoil func(*protocol.Manifest)
	switch a.byte() % 8 {
	case 0:
		spoil = func(m *protocol.Manifest) { m.Signature[a.byte()%64] ^= 1 }
	case 1:
		spoil = func(m *protocol.Manifest) { m.SHA256[0] ^= 1 }
	case 2:
		spoil = func(m *protocol.Manifest) { m.Size = a.number() }
	case 3:
		spoil = func(m *protocol.Manifest) { m.ObjectSize = a.number() }
	}
	a.sendManifest(c, text, a.sign(text), spoil)
}

// hostilePaths take the place of a file's name.
var hostilePaths = []string{
	"../../other/etc/x", "/etc/passwd", "a/../../x", `a\u0000b`, "", ".", "..", "a//b", "data", "F0", "d/" + "../d",
	".weir/catalog.db", "manifest.jsonl", "d", "f1/x",
}

// tamper changes the text of a manifest.
func (a *attacker) tamper(text []byte) []byte {
	switch how := a.byte(); how % 6 {
	case 0:
		text[int(a.number()%uint64(len(text)))] = a.byte()
	case 1:
		text = bytes.Replace(text, []byte(`"path":"f0"`), fmt.Appendf(nil, `"path":"%s"`, hostilePaths[int(a.byte())%len(hostilePaths)]), 1)
	case 2:
		text = text[:a.number()%uint64(len(text))]
	case 3:
		text = append(text, a.bytes(int(a.byte()))...)
	case 4:
		text = bytes.Clone(a.bytes(int(a.byte())))
	default:
		text = bytes.Repeat(text, int(how))
	}
	return text
}

// manifestOf makes a good manifest: a bit of files for each entry.
func (a *attacker) manifestOf(c protocol.Context, files byte) []byte {
	var b bytes.Buffer
	head := manifest.Header{Sender: "prod", Source: c.Source, Number: c.Number, Taken: time.Unix(0, c.Taken).UTC()}
	if names.Check(c.Source) != nil {
		head.Source = "a" // no honest sender has that source
	}
	w, err := manifest.NewWriter(&b, head)
	a.must(err)
	at := time.Unix(1.6e9, 0)
	entries := []manifest.Entry{{Path: "d", Kind: manifest.Dir, Mode: 0o755, ModTime: at}}
	for i := range byte(6) {
		o := objectOf(i)
		if files&(1<<i) != 0 {
			entries = append(entries, manifest.Entry{Path: fmt.Sprintf("f%d", i), Kind: manifest.File, Mode: 0o644, ModTime: at,
				Object: o.id, Size: int64(len(o.content)), SHA256: o.sum()})
		}
	}
	if files&1 != 0 {
		entries = append(entries, manifest.Entry{Path: "h", Kind: manifest.Hardlink, Target: "f0"})
	}
	entries = append(entries, manifest.Entry{Path: "s", Kind: manifest.Symlink, Mode: 0o777, ModTime: at, Target: "/etc"})
	for i := range entries {
		a.must(w.Add(&entries[i]))
	}
	_, err = w.Close()
	a.must(err)
	return b.Bytes()
}

// sign signs a text as a manifest: the signature is good whatever the text is.
func (a *attacker) sign(text []byte) [64]byte { return signManifest(a.signer, text) }

func (a *attacker) sendObjects(c protocol.Context, files byte) {
	for i := range byte(6) {
		if files&(1<<i) != 0 {
			o := objectOf(i)
			a.sendObject(c, o.id, o.content)
		}
	}
}

// sendObject sends content in blocks of one record each.
func (a *attacker) sendObject(c protocol.Context, id protocol.ObjectID, content []byte) {
	room := shape.DataBytes() - protocol.ContextSize(&c) - protocol.DataHeaderSize
	for off := 0; off < len(content); off += room {
		part := content[off:min(off+room, len(content))]
		a.send(protocol.AppendData(protocol.AppendContext(nil, &c), &protocol.Data{Object: id, Offset: uint64(off), Bytes: part}))
	}
	a.send(protocol.AppendEnd(protocol.AppendContext(nil, &c), &protocol.End{Object: id, Size: uint64(len(content)), SHA256: sha256.Sum256(content)}))
}

var zip, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))

func (a *attacker) sendManifest(c protocol.Context, text []byte, signature [64]byte, spoil func(*protocol.Manifest)) {
	packed := zip.EncodeAll(text, nil)
	sum := sha256.Sum256(packed)
	id := protocol.ObjectID(append([]byte{2}, sum[:15]...))
	a.sendObject(c, id, packed)
	m := protocol.Manifest{Object: id, ObjectSize: uint64(len(packed)), Size: uint64(len(text)), SHA256: sha256.Sum256(text), Signature: signature}
	if spoil != nil {
		spoil(&m)
	}
	a.send(protocol.AppendManifest(protocol.AppendContext(nil, &c), &m))
}

// data sends a range that the fuzzer makes up.
func (a *attacker) data() {
	c, o := a.context(), objectOf(a.byte())
	a.send(protocol.AppendData(protocol.AppendContext(nil, &c), &protocol.Data{Object: o.id, Offset: a.number(), Bytes: append(a.bytes(int(a.byte())), 1)}))
}

// endOfObject says something about an object.
func (a *attacker) endOfObject() {
	c, o := a.context(), objectOf(a.byte())
	e := protocol.End{Object: o.id, Size: uint64(len(o.content)), SHA256: o.sum()}
	switch a.byte() % 4 {
	case 0:
		e.Size = a.number()
	case 1:
		e.SHA256[0] = a.byte()
	case 2:
		e.Size = a.number()
		e.Holes = []protocol.Range{{Offset: a.number(), Length: a.number()}, {Offset: a.number(), Length: a.number()}}
	}
	a.send(protocol.AppendEnd(protocol.AppendContext(nil, &c), &e))
}

// manifestRecord closes a snapshot with an object that may be anything.
func (a *attacker) manifestRecord() {
	c, o := a.context(), objectOf(a.byte())
	m := protocol.Manifest{Object: o.id, ObjectSize: uint64(len(o.content)), Size: a.number(), SHA256: o.sum()}
	a.send(protocol.AppendManifest(protocol.AppendContext(nil, &c), &m))
}

func (a *attacker) heartbeat() {
	hb := protocol.Heartbeat{Clock: int64(a.number())}
	for range a.byte() % 16 {
		c := a.context()
		hb.Sources = append(hb.Sources, protocol.SourceState{Source: c.Source, Number: c.Number, Taken: c.Taken})
	}
	a.send(protocol.AppendHeartbeat(nil, &hb))
}

// rawRecords sends a block of bytes, sometimes after a good context.
func (a *attacker) rawRecords() {
	var b []byte
	if n := a.byte(); n%2 == 1 {
		c := a.context()
		b = protocol.AppendContext(nil, &c)
	}
	a.send(append(b, a.bytes(int(a.byte()))...))
}

// oddFrame seals a symbol under a header that the fuzzer changes.
func (a *attacker) oddFrame() {
	h := protocol.Header{Block: a.block + uint64(a.byte()%3), Shard: int(a.byte() % 8), Geometry: shape, Length: 100}
	switch a.byte() % 8 {
	case 0:
		h.Block = a.number()
	case 1:
		h.K, h.M = int(a.byte()), int(a.byte())
	case 2:
		h.Depth, h.Column = int(a.number()%5000), int(a.number()%5000)
	case 3:
		h.Length = uint32(a.number())
	case 4:
		a.sealer.Skip(a.number())
	case 5:
		h.Symbol = int(a.byte()) * 64
	}
	a.deliver(a.sealer.Seal(nil, &h, make([]byte, h.Symbol)))
}

// letTimePass moves the clock, most of the time forwards.
func (a *attacker) letTimePass() {
	b := a.byte()
	d := time.Duration(b) * time.Second
	switch b % 8 {
	case 6:
		d = -d * 3600
	case 7:
		d *= 24 * 3600
	}
	a.clock.Lock()
	a.now = a.now.Add(d)
	a.clock.Unlock()
	a.recv.Tick()
}

func (a *attacker) restart() {
	a.end()
	a.start()
}

func (a *attacker) replay() {
	at := int(a.byte()) % len(a.frames)
	for _, f := range a.frames[at:min(at+int(a.byte()%16), len(a.frames))] {
		a.recv.Datagram(f)
	}
}

func (a *attacker) newSession() {
	if a.byte()%2 == 0 {
		a.open(shape)
		return
	}
	a.open(protocol.Geometry{K: int(a.byte()), M: int(a.byte()), Depth: int(a.number() % 5000), Symbol: int(a.byte()) * 64})
}

func (a *attacker) flipBit() {
	f := bytes.Clone(a.frames[int(a.byte())%len(a.frames)])
	f[int(a.number()%uint64(len(f)))] ^= 1 << (a.byte() % 8)
	a.recv.Datagram(f)
}

func (a *attacker) loseFrames() { a.drop = a.byte() }

func (a *attacker) rawDatagram() { a.recv.Datagram(a.bytes(int(a.byte()))) }
