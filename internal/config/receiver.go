package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
)

// Limits and defaults of the receiver's configuration.
const (
	ReceiverMemory Size = 512 << 20
	DefaultMinFree Size = 1 << 30
	DefaultBuffer  Size = 64 << 20
	MinBuffer      Size = 64 << 10
	MaxBuffer      Size = 1 << 30 // SO_RCVBUFFORCE takes an int and the kernel doubles it
	MaxSenders          = 1024

	DefaultMaxManifest Size = 4 << 30
	MinMaxManifest     Size = 1 << 20
	MaxMaxManifest     Size = 1 << 40

	DefaultClockHold       = Duration(24 * 60 * 60 * 1e9)
	DefaultPruneEvery      = Duration(60 * 60 * 1e9)
	DefaultScrubEvery      = Duration(30 * day)
	DefaultScrubRate  Size = 50e6
	MinEveryKept           = Duration(60 * 1e9) // of both, where they are not 0
)

// How weir-recv is confined while it runs.
const (
	ConfineStrict     = "strict"      // every layer, or it does not start
	ConfineBestEffort = "best-effort" // what the kernel has
	ConfineOff        = "off"
)

// Receiver is the configuration of weir-recv. Paths in it are absolute when it
// comes from LoadReceiver.
type Receiver struct {
	File    string // where it was read
	Vault   string
	Listen  netip.AddrPort // of the first lane
	Lanes   []Lane         // at least one
	Keys    []string       // paths of secret keys; the first is the one to hand out
	State   string
	Memory  Size
	MinFree Space
	// MaxManifest bounds the manifest of a snapshot, in bytes.
	MaxManifest Size
	Buffer      Size
	Offload     bool
	CPU         int // of the thread that receives where there is one lane, AnyCPU for any
	// Confinement is how much of it there must be: one of the words below.
	Confinement string
	LogLevel    string
	LogFormat   string
	Senders     []TrustedSender // one for each key; those of one name are one sender's
	Revoked     []TrustedSender // keys that are not trusted any more, whatever Senders says
	Rules       []Rule          // of [[source]]; see RuleFor
	PruneEvery  Duration        // 0 for never by itself
	ClockHold   Duration        // how long a leap of the clock must last to be believed
	ScrubEvery  Duration        // 0 for never by itself
	ScrubRate   Size            // bytes a second, 0 for as fast as it goes

	Status        string   // directory of the status files
	StatusEvery   Duration // between two writings of them
	SilentAfter   Duration // without a sign of a sender; 0 for never
	NotWholeAfter Duration // where no rule says it
	FullWithin    Duration // from where on a disk that fills is told of; 0 for never
	// AttestationKey is the path of the key that signs the daily attestation.
	AttestationKey string
}

// TrustedSender is one [[sender]]: a name and the public key it signs with.
type TrustedSender struct {
	Name  string
	Key   string // text, for keys.ParseSender
	Quota Size   // bytes that all of its sources may fill, 0 for no limit
	// MaxObjects is how many contents of files all of its sources may have stored, nil
	// or 0 for no limit.
	MaxObjects *int
}

// NewReceiver returns a configuration of defaults for a file at path: key and
// state lie beside it and bear its name.
func NewReceiver(path string) Receiver {
	stem := stemOf(path)
	return Receiver{
		File: path, Keys: []string{stem + ".key"}, State: stem + ".state",
		Memory: ReceiverMemory, MinFree: Space{Size: DefaultMinFree}, MaxManifest: DefaultMaxManifest, Buffer: DefaultBuffer,
		Offload: true, CPU: AnyCPU, Confinement: ConfineBestEffort, LogLevel: "info", LogFormat: "auto",
		PruneEvery: DefaultPruneEvery, ClockHold: DefaultClockHold, ScrubEvery: DefaultScrubEvery, ScrubRate: DefaultScrubRate,
		StatusEvery: DefaultStatusEvery, SilentAfter: DefaultSilentAfter, NotWholeAfter: DefaultNotWholeAfter,
		FullWithin: DefaultFullWithin, AttestationKey: stem + ".attestation.key",
	}
}

// LoadReceiver reads and checks a receiver's configuration. What is wrong with
// its content is returned as Problems, all of it at once.
func LoadReceiver(path string) (Receiver, error) {
	data, err := readFile(path, "weir-recv")
	if err != nil {
		return Receiver{}, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return Receiver{}, fmt.Errorf("finding the configuration: %w", err)
	}
	return ParseReceiver(path, data)
}

// ParseReceiver checks data as the content of a configuration file at path,
// which should be absolute.
func ParseReceiver(path string, data []byte) (Receiver, error) {
	doc, top := newDocument(path, data)
	c := NewReceiver(path)
	if len(doc.problems) > 0 {
		return c, doc.err()
	}
	c.read(top)
	c.Vault, c.State = doc.resolve(c.Vault), doc.resolve(c.State)
	c.resolveStatus(doc)
	for i, key := range c.Keys {
		c.Keys[i] = doc.resolve(key)
	}
	return c, doc.err()
}

func (c *Receiver) read(t *table) {
	t.str("vault", &c.Vault)
	c.Lanes = readLanes(t, receives, &c.Listen, &c.CPU)
	t.list("key", &c.Keys)
	t.path("state", &c.State)
	t.text("memory", &c.Memory)
	t.text("min_free", &c.MinFree)
	t.text("max_manifest", &c.MaxManifest)
	t.text("buffer", &c.Buffer)
	t.flag("offload", &c.Offload)
	t.choice("confinement", &c.Confinement, ConfineStrict, ConfineBestEffort, ConfineOff)
	readLog(t, &c.LogLevel, &c.LogFormat)
	for _, element := range t.tables("sender") {
		c.Senders = append(c.Senders, readTrusted(element))
	}
	for _, element := range t.tables("revoked") {
		c.Revoked = append(c.Revoked, readRevoked(element))
	}
	c.readKeeping(t)
	c.readStatus(t)
	t.end()
	t.need("vault")
	c.checkValues(t)
	c.checkSenders(t)
}

func (c *Receiver) checkValues(t *table) {
	if _, ok := t.values["vault"]; ok && c.Vault == "" {
		t.problem("vault", "it is empty, write the directory of the vault")
	}
	if len(c.Keys) == 0 {
		t.problem("key", "it is empty, write the path of a key or leave the line out")
	}
	for _, key := range c.Keys {
		if key == "" {
			t.problem("key", "an empty path is no key")
		}
	}
	within(t, "memory", c.Memory, MinMemory, MaxMemory)
	within(t, "buffer", c.Buffer, MinBuffer, MaxBuffer)
	within(t, "max_manifest", c.MaxManifest, MinMaxManifest, MaxMaxManifest)
}

// readKeeping reads what rules the restore points that are stored.
func (c *Receiver) readKeeping(t *table) {
	t.text("prune_every", &c.PruneEvery)
	t.text("clock_hold", &c.ClockHold)
	t.text("scrub_every", &c.ScrubEvery)
	t.text("scrub_rate", &c.ScrubRate)
	for key, every := range map[string]Duration{"prune_every": c.PruneEvery, "scrub_every": c.ScrubEvery} {
		if every != 0 && every < MinEveryKept {
			t.problem(key, "%v is too often, write at least %q, or \"0s\" for never", every, MinEveryKept)
		}
	}
	for _, element := range t.tables("source") {
		c.Rules = append(c.Rules, readRule(element))
	}
	if len(c.Rules) > MaxRules {
		t.problem("source", "there are %d, at most %d can be", len(c.Rules), MaxRules)
	}
}
