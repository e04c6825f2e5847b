package e2e

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/protocol"
)

// claim sends an object as the manifest of a snapshot, and claims that it becomes so
// many bytes with this hash.
func (e *enemy) claim(source string, taken time.Time, object []byte, size uint64, sum [32]byte, signature [64]byte) {
	e.t.Helper()
	whole := sha256.Sum256(object)
	id := protocol.ObjectID(whole[:16])
	head := protocol.AppendContext(nil, &protocol.Context{Source: source, Number: 1, Taken: taken.UnixNano()})
	most := enemyGeometry.DataBytes() - len(head) - protocol.DataHeaderSize
	for off := 0; off < len(object); off += most {
		part := object[off:min(off+most, len(object))]
		e.send(protocol.AppendData(head[:len(head):len(head)], &protocol.Data{Object: id, Offset: uint64(off), Bytes: part}))
	}
	b := protocol.AppendEnd(head[:len(head):len(head)], &protocol.End{Object: id, Size: uint64(len(object)), SHA256: whole})
	m := &protocol.Manifest{Object: id, ObjectSize: uint64(len(object)), Size: size, SHA256: sum, Signature: signature}
	for range 2 {
		e.send(protocol.AppendManifest(b[:len(b):len(b)], m))
	}
}

// crowd is a manifest of n empty files in one directory, whose trailer claims more.
func (e *enemy) crowd(source string, taken time.Time, n, claimed int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"weir":"manifest","version":1,"sender":"prod","source":%q,"number":1,"taken":%q,"previous":"%064d","roots":[],"tool":""}`+"\n", source, taken.Format("2006-01-02T15:04:05.000000000Z"), 0)
	sum := sha256.Sum256(nil)
	for i := range n {
		fmt.Fprintf(&b, `{"path":"%07d","kind":"file","size":0,"sha256":"%x","mode":"0644","uid":0,"gid":0,"mtime":"2026-11-22T20:15:00.000000000Z"}`+"\n", i, sum)
	}
	fmt.Fprintf(&b, `{"end":true,"entries":%d,"files":%d,"bytes":0,"problems":0}`+"\n", claimed, claimed)
	return b.String()
}

func (e *enemy) claimText(source string, taken time.Time, text string) {
	zip, err := zstd.NewWriter(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.claim(source, taken, zip.EncodeAll([]byte(text), nil), uint64(len(text)), sha256.Sum256([]byte(text)), e.sign(text))
}

// bomb is a Zstandard frame (RFC 8878) that becomes n bytes: blocks of one byte each
// that is repeated 128 KiB times.
func bomb(n uint64) []byte {
	const block = 128 << 10
	frame := binary.LittleEndian.AppendUint32(nil, 0xfd2fb528)
	frame = append(frame, 0, 7<<3) // no checksum, no size; a window of 128 KiB
	for left := n / block; left > 0; left-- {
		last := uint32(0)
		if left == 1 {
			last = 1
		}
		head := last | 1<<1 | block<<3
		frame = append(frame, byte(head), byte(head>>8), byte(head>>16), '{')
	}
	return frame
}

// TestExtremeManifests has a sender with good keys send manifests that become very
// much, or claim to. The receiver stays within its memory and an honest push becomes
// whole after each. With WEIR_LONG the directory has a million entries, and the bomb
// 64 GiB.
func TestExtremeManifests(t *testing.T) {
	entries, bombSize := 20_000, uint64(2<<30)
	if os.Getenv("WEIR_LONG") != "" {
		entries, bombSize = 1_000_000, 64<<30
	}
	g := newRig(t)
	g.patience = 3 * time.Minute
	g.sender("prod", g.listen, "100Mbit")
	src := g.tree("src", 200_000, 5)
	g.startReceiver()
	e := g.compromise("prod")
	frame := bomb(bombSize)
	refused, at := 0, time.Now().UTC().Truncate(time.Second)
	for _, c := range []struct {
		name string
		send func()
		good bool
	}{
		{"a directory of many", func() { e.claimText("crowd", at, e.crowd("crowd", at, entries, entries)) }, true},
		{"a bomb that owns up to its size", func() { e.claim("bomb1", at, frame, bombSize, [32]byte{1}, [64]byte{1}) }, false},
		{"a bomb that claims the most that is allowed", func() { e.claim("bomb2", at, frame, 4<<30, [32]byte{2}, [64]byte{2}) }, false},
		{"a bomb that claims little", func() { e.claim("bomb3", at, frame, 1000, [32]byte{3}, [64]byte{3}) }, false},
		{"a billion entries that are not there", func() { e.claimText("billion", at, e.crowd("billion", at, 100, 1_000_000_000)) }, false},
		{"a billion entries by size", func() { e.claim("terabyte", at, frame[:1000], 1<<40, [32]byte{4}, [64]byte{4}) }, false},
	} {
		begun := time.Now()
		c.send()
		sent := time.Since(begun)
		if c.good {
			g.wait(func() bool { return g.ofSource("crowd") == 1 }, g.recv.log)
		} else {
			refused++
			g.wait(func() bool { return refusals(g.recv.log()) >= refused }, func() string { return c.name + " to be refused: " + g.recv.log() })
		}
		t.Logf("%s: sent in %v, done %v later; the receiver took at most %d MiB so far", c.name, sent.Round(time.Millisecond), (time.Since(begun) - sent).Round(time.Millisecond), g.recv.memory.peak.Load()>>20)
	}
	time.Sleep(1100 * time.Millisecond) // the counter of sessions goes by milliseconds, names by seconds
	g.push("prod", "etc", 0, src)
	g.wait(func() bool { return g.ofSource("etc") == 1 }, g.recv.log)
	g.check("prod/etc/latest", src)
	if peak := g.recv.memory.peak.Load(); peak > maxMemory {
		t.Errorf("the receiver took %d MiB", peak>>20)
	}
}

// refusals counts the manifests that were refused, by their content or by their size
// alone.
func refusals(log string) int {
	return strings.Count(log, `"event":"manifest-refused"`) + strings.Count(log, "raise max_manifest")
}
