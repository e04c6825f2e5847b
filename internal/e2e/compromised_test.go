package e2e

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/internal/fec"
	"weir/internal/keys"
	"weir/internal/manifest"
	"weir/protocol"
)

// enemy has a sender's good keys and sends what it likes.
type enemy struct {
	t        *testing.T
	link     net.Conn
	announce []byte
	sealer   *protocol.Sealer
	block    uint64
	sign     func(text string) [64]byte
}

var enemyGeometry = protocol.Geometry{K: 20, M: 2, Depth: 4, Symbol: 1408}

// compromise takes over a sender that was paired.
func (g *rig) compromise(name string) *enemy {
	g.t.Helper()
	signer, err := keys.LoadSender(g.path(name + ".key"))
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := os.ReadFile(g.path("receiver.pub"))
	if err != nil {
		g.t.Fatal(err)
	}
	receiver, err := keys.ParseReceiver(string(text))
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := net.Dial("udp", g.listen)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	e := &enemy{t: g.t, link: c, sign: func(text string) [64]byte { return manifest.Sign(signer, sha512.Sum512([]byte(text))) }}
	p := protocol.Params{Sender: name, Counter: uint64(time.Now().UnixMilli()), Rate: 1e8, Geometry: enemyGeometry}
	if e.announce, e.sealer, err = protocol.NewSession(p, receiver, signer); err != nil {
		g.t.Fatal(err)
	}
	return e
}

// send puts records into a block of their own.
func (e *enemy) send(records []byte) {
	e.t.Helper()
	geo := enemyGeometry
	buf := make([]byte, geo.BlockBytes())
	if copy(buf[:geo.DataBytes()], records) < len(records) {
		e.t.Fatalf("%d bytes of records are too many", len(records))
	}
	code, err := fec.New(geo.K, geo.M)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := code.Encode(buf[:geo.DataBytes()], buf[geo.DataBytes():], geo.Shard()); err != nil {
		e.t.Fatal(err)
	}
	e.block++
	e.link.Write(e.announce)
	for i := range geo.Symbols() {
		h := protocol.Header{Block: e.block, Shard: i / geo.Depth, Column: i % geo.Depth, Geometry: geo, Length: uint32(len(records))}
		e.link.Write(e.sealer.Seal(nil, &h, buf[i*geo.Symbol:(i+1)*geo.Symbol]))
		time.Sleep(50 * time.Microsecond)
	}
}

// publish sends a snapshot whose manifest has these lines.
func (e *enemy) publish(source string, lines ...string) {
	taken := time.Now().UTC().Truncate(time.Second)
	files := 0
	for _, l := range lines {
		files += strings.Count(l, `"kind":"file"`)
	}
	text := fmt.Sprintf(`{"weir":"manifest","version":1,"sender":"prod","source":%q,"number":1,"taken":"%s","previous":"%064d","roots":[],"tool":""}`,
		source, taken.Format("2006-01-02T15:04:05.000000000Z"), 0) + "\n" + strings.Join(lines, "\n") + "\n" +
		fmt.Sprintf(`{"end":true,"entries":%d,"files":%d,"bytes":0,"problems":0}`, len(lines), files) + "\n"
	zip, err := zstd.NewWriter(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	object := zip.EncodeAll([]byte(text), nil)
	sum := sha256.Sum256(object)
	id := protocol.ObjectID(sum[:16])
	b := protocol.AppendContext(nil, &protocol.Context{Source: source, Number: 1, Taken: taken.UnixNano()})
	b = protocol.AppendData(b, &protocol.Data{Object: id, Bytes: object})
	b = protocol.AppendEnd(b, &protocol.End{Object: id, Size: uint64(len(object)), SHA256: sum})
	e.send(protocol.AppendManifest(b, &protocol.Manifest{
		Object: id, ObjectSize: uint64(len(object)), Size: uint64(len(text)), SHA256: sha256.Sum256([]byte(text)), Signature: e.sign(text),
	}))
}

// TestCompromisedSender lets an enemy with good keys at the real receiver. Nothing
// outside of the vault changes, nothing stored changes, memory stays bounded, and
// an honest snapshot still becomes whole.
func TestCompromisedSender(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	src := g.tree("src", 200_000, 10)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	outside := names(t, g.dir)
	e := g.compromise("prod")
	const rest = `"mode":"0644","uid":0,"gid":0,"mtime":"2026-11-22T20:15:00.000000000Z"}`
	empty := fmt.Sprintf(`"kind":"file","size":0,"sha256":"%x",`, sha256.Sum256(nil)) + rest
	e.publish("climb", `{"path":"../../../escaped",`+empty)
	e.publish("root", `{"path":"/tmp/weir-escaped",`+empty)
	e.publish("through", `{"path":"a","kind":"symlink","mode":"0777","uid":0,"gid":0,"mtime":"2026-11-22T20:15:00.000000000Z","target":"/tmp"}`, `{"path":"a/weir-escaped",`+empty)
	e.publish("clash", `{"path":"A",`+empty, `{"path":"a",`+empty)
	id := protocol.ObjectID{1}
	b := protocol.AppendContext(nil, &protocol.Context{Source: "huge", Number: 1e14, Taken: time.Now().UnixNano()})
	b = protocol.AppendData(b, &protocol.Data{Object: id, Offset: protocol.MaxObject - 10, Bytes: []byte("x")})
	b = protocol.AppendEnd(b, &protocol.End{Object: id, Size: protocol.MaxObject - 1})
	e.send(protocol.AppendManifest(b, &protocol.Manifest{Object: id, ObjectSize: 1 << 61, Size: 1 << 61}))
	for i := range 12 {
		hb := &protocol.Heartbeat{Clock: -1 << 63}
		for j := range 120 {
			hb.Sources = append(hb.Sources, protocol.SourceState{Source: fmt.Sprintf("s%d", 120*i+j), Number: 1 << 40, Taken: time.Now().UnixNano()})
		}
		e.send(protocol.AppendHeartbeat(nil, hb))
	}
	g.wait(func() bool {
		return strings.Contains(g.must("weir-vault", "list", "prod/clash", "--vault", g.path("vault")), "whole")
	},
		func() string { return "the one that is allowed; " + g.recv.log() })
	time.Sleep(1100 * time.Millisecond) // the counter of sessions goes by milliseconds, names by seconds
	g.push("prod", "etc", 0, src)
	g.wait(func() bool {
		return strings.Count(g.must("weir-vault", "list", "prod/etc", "--vault", g.path("vault")), "whole") == 2
	},
		func() string { return "the honest snapshot; " + g.recv.log() })
	g.check("prod/etc@1", src)
	if n := strings.Count(g.recv.log(), `"event":"manifest-refused"`); n < 3 {
		t.Errorf("%d manifests were refused:\n%s", n, g.recv.log())
	}
	if now := names(t, g.dir); now != outside {
		t.Errorf("outside of the vault there were\n%s\nand now\n%s", outside, now)
	}
	if _, err := os.Lstat("/tmp/weir-escaped"); err == nil {
		t.Error("a file escaped to /tmp")
	}
	if peak := g.recv.memory.peak.Load(); peak > maxMemory {
		t.Errorf("the receiver took %d MiB", peak>>20)
	}
}

// names lists what lies beside the vault.
func names(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && p == filepath.Join(dir, "vault") {
			return filepath.SkipDir
		}
		if err == nil && !strings.Contains(p, "prod.state") && !strings.Contains(p, "/sent") {
			all = append(all, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}
