// Package config reads, checks and writes the configuration of both ends:
// TOML, read strictly. An unknown key, a bad unit or values that cannot hold
// together are errors that name file, line, key and what to write instead.
package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/glob"
	"weir/internal/keys"
	"weir/protocol"
)

// Where the configuration is looked for when nobody says otherwise.
const (
	SenderPath   = "/etc/weir/sender.toml"
	ReceiverPath = "/etc/weir/receiver.toml"
)

// Limits and defaults of the sender's configuration.
const (
	MinRate          Rate    = 64e3
	MaxRate          Rate    = 100e9
	MinOverhead      Percent = 1
	MaxOverhead      Percent = 100
	DefaultOverhead  Percent = 10
	DefaultBurst             = Duration(25 * time.Millisecond)
	MinBurst                 = Duration(10 * time.Microsecond)
	BurstBytes       Size    = 64 << 10
	MinBurstBytes    Size    = 2 << 10
	MaxBurstBytes    Size    = 16 << 20
	MinMTU                   = 1500 // an announce needs it
	MaxMTU                   = 9000
	DefaultHeartbeat         = Duration(10 * time.Second)
	MinHeartbeat             = Duration(100 * time.Millisecond)
	MaxHeartbeat             = Duration(time.Hour)
	DefaultEvery             = Duration(24 * time.Hour)
	MinEvery                 = Duration(time.Second)
	MaxSources               = protocol.MaxHeartbeatSources
	SenderMemory     Size    = 256 << 20
	MinMemory        Size    = 64 << 20
	MaxMemory        Size    = 1 << 40
)

// Sender is the configuration of weir-send. Paths in it are absolute when it
// comes from LoadSender.
type Sender struct {
	File     string // where it was read
	Name     string
	To       netip.AddrPort // of the first lane
	Lanes    []Lane         // at least one
	Receiver string         // text of the receiver's public key, for keys.ParseReceiver
	Rate     Rate
	Overhead Percent
	Burst    Duration
	// BurstBytes bounds what leaves back to back.
	BurstBytes Size
	MTU        int
	// Geometry has K, M and Depth only where the expert keys fix them,
	// otherwise they are 0 and follow from Rate, Overhead and Burst. Symbol is
	// always set.
	Geometry  protocol.Geometry
	Memory    Size
	Key       string // path of the secret key
	State     string
	Socket    string
	Heartbeat Duration
	Offload   bool
	CPU       int // of the thread that owns the link, AnyCPU for any
	Repeat    Repeat
	Metrics   string // path of the metrics file, "" for none
	LogLevel  string
	LogFormat string
	Sources   []Source
}

// Source is one [[source]]: what run takes a snapshot of, and how often.
type Source struct {
	Name    string
	Path    []string
	Exclude []string // doublestar globs, relative to the root of the snapshot
	Every   Duration

	EncryptTo []string // public keys of age to which content is sealed; none for as it is
	// Compress is CompressAuto or CompressOff: content on the wire.
	Compress string
}

// What Source.Compress may be.
const (
	CompressAuto = "auto"
	CompressOff  = "off"
)

// NewSender returns a configuration of defaults for a file at path: key,
// state and socket lie beside it and bear its name.
func NewSender(path string) Sender {
	stem := stemOf(path)
	return Sender{
		File: path, Overhead: DefaultOverhead, Burst: DefaultBurst, BurstBytes: BurstBytes, MTU: MinMTU, Memory: SenderMemory,
		Key: stem + ".key", State: stem + ".state", Socket: stem + ".sock",
		Heartbeat: DefaultHeartbeat, Offload: true, CPU: AnyCPU, Repeat: newRepeat(), LogLevel: "info", LogFormat: "auto",
	}
}

func stemOf(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// LoadSender reads and checks a sender's configuration. What is wrong with its
// content is returned as Problems, all of it at once.
func LoadSender(path string) (Sender, error) {
	data, err := readFile(path, "weir-send")
	if err != nil {
		return Sender{}, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return Sender{}, fmt.Errorf("finding the configuration: %w", err)
	}
	return ParseSender(path, data)
}

// ParseSender checks data as the content of a configuration file at path,
// which should be absolute.
func ParseSender(path string, data []byte) (Sender, error) {
	doc, top := newDocument(path, data)
	c := NewSender(path)
	if len(doc.problems) > 0 {
		return c, doc.err()
	}
	c.read(top)
	if len(doc.problems) == 0 { // relations make no sense between bad values
		c.checkRelations(top)
	}
	c.Metrics = doc.resolve(c.Metrics)
	c.Key, c.State, c.Socket = doc.resolve(c.Key), doc.resolve(c.State), doc.resolve(c.Socket)
	if c.Repeat.SpoolDir = doc.resolve(c.Repeat.SpoolDir); c.Repeat.SpoolDir == "" {
		c.Repeat.SpoolDir = filepath.Join(c.Kept(), "spool")
	}
	c.checkPaths(top)
	return c, doc.err()
}

// checkPaths refuses a path that two keys give: one of the two would take the place of
// the other's file.
func (c *Sender) checkPaths(t *table) {
	keyOf := map[string]string{c.File: "the configuration itself"}
	for _, p := range []struct{ key, path string }{
		{"key", c.Key}, {"state", c.State}, {"socket", c.Socket}, {"metrics", c.Metrics}, {"spool_dir", c.Repeat.SpoolDir},
	} {
		path := filepath.Clean(p.path)
		if other := keyOf[path]; other != "" && p.path != "" {
			t.problem(p.key, "%s is the path of %s too, give each its own", path, other)
		}
		keyOf[path] = p.key
	}
}

func (c *Sender) read(t *table) {
	t.label("name", &c.Name)
	c.Lanes = readLanes(t, "to", &c.To, &c.CPU)
	t.str("receiver", &c.Receiver)
	if t.text("rate", &c.Rate) {
		within(t, "rate", c.Rate, MinRate, MaxRate)
	}
	t.text("overhead", &c.Overhead)
	t.text("burst", &c.Burst)
	t.integer("mtu", &c.MTU)
	t.text("memory", &c.Memory)
	t.path("key", &c.Key)
	t.path("state", &c.State)
	t.path("socket", &c.Socket)
	t.text("heartbeat", &c.Heartbeat)
	t.text("burst_bytes", &c.BurstBytes)
	t.flag("offload", &c.Offload)
	c.Repeat.read(t)
	t.str("metrics", &c.Metrics)
	readLog(t, &c.LogLevel, &c.LogFormat)
	c.readGeometry(t)
	for _, element := range t.tables("source") {
		c.Sources = append(c.Sources, readSource(element))
	}
	t.end()
	t.need("name", "receiver", "rate")
	c.checkValues(t)
	c.checkSources(t)
}

func (c *Sender) checkValues(t *table) {
	if c.Receiver != "" {
		if _, err := keys.ParseReceiver(c.Receiver); err != nil {
			t.problem("receiver", "%v; write the line that `weir-recv init` printed", err)
		}
	}
	for _, l := range c.Lanes {
		if l.Address.IsValid() && l.Address.Addr().IsUnspecified() {
			t.problem("to", "%s is no address to send to, write the receiver's, like %q", l.Address, "10.77.0.2:4600")
		}
	}
	if c.MTU < MinMTU || c.MTU > MaxMTU {
		t.problem("mtu", "%d is out of range, write 1500, or 9000 where the whole link carries jumbo frames", c.MTU)
	}
	within(t, "overhead", c.Overhead, MinOverhead, MaxOverhead)
	within(t, "memory", c.Memory, MinMemory, MaxMemory)
	within(t, "burst_bytes", c.BurstBytes, MinBurstBytes, MaxBurstBytes)
	within(t, "heartbeat", c.Heartbeat, MinHeartbeat, MaxHeartbeat)
	if c.Burst < MinBurst {
		t.problem("burst", "%v is too short, write at least %q", c.Burst, MinBurst)
	}
}

func readSource(t *table) Source {
	s := Source{Every: DefaultEvery, Compress: CompressOff}
	t.label("name", &s.Name)
	t.list("path", &s.Path)
	t.list("exclude", &s.Exclude)
	t.text("every", &s.Every)
	t.list("encrypt_to", &s.EncryptTo)
	t.choice("compress", &s.Compress, CompressAuto, CompressOff)
	t.end()
	t.need("name", "path")
	if s.Every < MinEvery {
		t.problem("every", "%v is too often, write at least %q", s.Every, MinEvery)
	}
	for _, pattern := range s.Exclude {
		if err := glob.Check(pattern); err != nil {
			t.problem("exclude", "%v", err)
		}
	}
	for _, key := range s.EncryptTo {
		if !strings.HasPrefix(key, "age1") {
			t.problem("encrypt_to", "%.20q is no public key of age, write the line with age1... that age-keygen printed", key)
		}
	}
	if s.Compress == CompressAuto && len(s.EncryptTo) > 0 {
		t.problem("compress", "encrypted content gets no smaller, leave the line out")
	}
	checkPaths(t, &s)
	return s
}

// checkPaths makes the paths absolute and refuses two that would stand under
// the same name at the root of the snapshot.
func checkPaths(t *table, s *Source) {
	if _, ok := t.values["path"]; ok && len(s.Path) == 0 {
		t.problem("path", "it is empty, write the directory or the file to send")
	}
	bases := map[string]string{}
	for i, p := range s.Path {
		if p == "" || strings.ContainsRune(p, 0) {
			t.problem("path", "%q is no path", p)
			continue
		}
		p = filepath.Clean(t.doc.resolve(p))
		s.Path[i] = p
		if other, ok := bases[filepath.Base(p)]; ok {
			t.problem("path", "%s and %s have the same last name and would lie over each other, make two sources of them", other, p)
		}
		bases[filepath.Base(p)] = p
	}
}

func (c *Sender) checkSources(t *table) {
	if len(c.Sources) > MaxSources {
		t.problem("source", "there are %d, at most %d can be", len(c.Sources), MaxSources)
	}
	seen := map[string]bool{}
	for i, s := range c.Sources {
		if s.Name != "" && seen[s.Name] {
			element := &table{doc: t.doc, name: "source", index: i}
			element.problem("name", "there is another source %q, give each a name of its own", s.Name)
		}
		seen[s.Name] = true
	}
}
