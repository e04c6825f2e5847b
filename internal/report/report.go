// Package report looks at a vault and its links every few seconds, on behalf of
// the receiver that runs: it judges what is there against what is expected, tells
// of it, and writes the status files and the daily attestation.
package report

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"weir/internal/attestation"
	"weir/internal/diskuse"
	"weir/internal/event"
	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/internal/status"
	"weir/internal/vault"
)

// Config is what a Reporter needs.
type Config struct {
	Vault   string // directory
	Dir     string // of the status files
	Every   time.Duration
	Senders []string                                     // the trusted ones
	Rule    func(sender, source string) expectation.Rule // for each source
	Expect  []Name                                       // sources that are expected though nothing came of them yet
	Limits  expectation.Limits
	MinFree int64              // bytes
	Key     ed25519.PrivateKey // signs attestations
	Host    string
	Tool    string
	Log     zerolog.Logger
	Note    func(name, detail string) // writes to the vault's event log
	Now     func() time.Time
}

// Name names a source.
type Name struct{ Sender, Source string }

// Facts are what only the running receiver knows.
type Facts struct {
	Links    []linkquality.Link
	Heard    map[string]time.Time          // of each sender, and each of several lanes, the last authentic frame
	Skew     map[string]time.Duration      // of each sender, the vault's clock less its
	Lanes    map[string][]expectation.Lane // of each sender that was heard since the start
	Moving   []status.Transfer
	Receiver status.Receiver
}

// Reporter reports. Its methods are called from one goroutine.
type Reporter struct {
	cfg     Config
	listing *vault.Listing
	watch   *expectation.Watch
	links   *linkquality.Monitor
	disk    *diskuse.History
	missing *missing
	started time.Time
	looked  time.Time // by the clock that nobody sets
	mark    time.Time // the latest time of the vault that was seen
	memory  memory
	failing bool // a file could not be written, and that was told
	said    status.Status
	heard   map[string]time.Time // of each sender and lane, also before the start
}

// New returns a Reporter that takes up where an earlier one stopped.
func New(cfg Config) (*Reporter, error) {
	r := &Reporter{
		cfg: cfg, listing: vault.NewListing(cfg.Vault), watch: &expectation.Watch{}, links: linkquality.New(),
		disk: &diskuse.History{}, missing: newMissing(cfg.Vault), started: cfg.Now(), heard: map[string]time.Time{},
	}
	if err := status.MakeDir(cfg.Dir); err != nil {
		return nil, err
	}
	if old, err := status.Read(cfg.Dir); err == nil {
		for i := range old.Senders {
			r.heard[old.Senders[i].Name] = old.Senders[i].Heard
			for _, lane := range old.Senders[i].Lanes {
				r.heard[lane.Name] = lane.Heard
			}
		}
		r.said.Scrub = old.Scrub
	}
	r.memory = memory{dir: filepath.Join(cfg.Vault, ".weir", "report")}
	if err := r.memory.load(r); err != nil {
		// What was remembered is lost, and that is all.
		cfg.Log.Warn().Str(event.Field, event.StatusFailed).Err(err).Msg("the past of links and alarms begins anew")
	}
	return r, nil
}

// Look takes the facts of now, judges, tells and writes.
func (r *Reporter) Look(f Facts) {
	now := r.now()
	err := r.look(now, f)
	if r.memory.due(now) {
		err = errors.Join(err, r.memory.save(r))
	}
	r.tell(err)
}

// tell logs trouble with files once until it ends.
func (r *Reporter) tell(err error) {
	if err != nil && !r.failing {
		r.cfg.Log.Error().Str(event.Field, event.StatusFailed).Err(err).Msg("the status could not be told in full; told once until it can")
	}
	r.failing = err != nil
}

// now returns the vault's time: the host's, but never earlier than what the vault
// has seen.
func (r *Reporter) now() time.Time {
	// By the clock on the wall: monotonic readings would hide that it was set back.
	now := r.cfg.Now().Round(0).UTC()
	if mark, err := vault.Mark(r.cfg.Vault); err == nil && mark.After(now) {
		now = mark
	}
	// What is left of a leap that is over, and that the vault never believed, is no time.
	if now.After(r.mark) || r.mark.Sub(now) > vault.JumpAfter {
		r.mark = now
	}
	return r.mark
}

func (r *Reporter) look(now time.Time, f Facts) error {
	infos, err := r.listing.List()
	if err != nil {
		return err
	}
	maps.Copy(r.heard, f.Heard)
	r.links.Observe(now, f.Links, linkquality.Host{Socket: f.Receiver.Socket, Interface: f.Receiver.Interface})
	s := r.status(now, infos, f)
	changes := r.watch.Look(r.facts(now, infos, s, f.Lanes), r.cfg.Limits)
	s.Alarms = r.watch.Alarms()
	markOverdue(s)
	for i := range changes {
		r.say(&changes[i])
	}
	if len(changes) > 0 {
		err = r.memory.save(r) // so that a restart tells nothing twice
	}
	err = errors.Join(err, r.attest(now, infos, s))
	r.said = *s
	return errors.Join(err, status.Write(r.cfg.Dir, s))
}

// say logs a change of an alarm, and notes it in the vault's event log.
func (r *Reporter) say(c *expectation.Change) {
	if c.Kind == expectation.Ended {
		r.cfg.Log.Info().Str(event.Field, event.AlarmEnded).Str("alarm", c.Event).Str("subject", c.Subject).Time("since", c.Since).Msg("as expected again")
		r.cfg.Note(event.AlarmEnded, c.Event+" "+c.Subject)
		return
	}
	r.cfg.Note(c.Event, c.Subject+": "+c.Text)
	if c.Event == event.LaneSilent && c.Kind == expectation.Began {
		return // the receiver logged it the moment it was so
	}
	line := r.cfg.Log.Error()
	if c.Event == event.LinkMargin {
		line = r.cfg.Log.Warn()
	}
	line.Str(event.Field, c.Event).Str("subject", c.Subject).Time("since", c.Since).Msg(c.Text)
}

// attest writes the attestation of the day, unless it is there.
func (r *Reporter) attest(now time.Time, infos []vault.Info, s *status.Status) error {
	dir := filepath.Join(r.cfg.Vault, ".weir", "attestations")
	s.Attested = now.UTC().Format(time.DateOnly)
	if r.said.Attested == s.Attested || attestation.Done(dir, now) {
		return nil
	}
	d, err := r.day(now, infos, s)
	if err == nil {
		err = attestation.Write(dir, d, r.cfg.Key)
	}
	if err != nil {
		s.Attested = r.said.Attested
		return err
	}
	whole := 0
	var points []string
	for i := range d.Sources {
		if d.Sources[i].Newest != "" {
			whole++
			points = append(points, d.Sources[i].Sender+"/"+d.Sources[i].Source+"/"+d.Sources[i].Newest)
		}
	}
	r.cfg.Log.Info().Str(event.Field, event.Attestation).Str("day", s.Attested).Int("sources", len(d.Sources)).Int("restorable", whole).
		Int("alarms", len(d.Alarms)).Strs("newest", points[:min(len(points), attestLogged)]).Msg("to this each source can be restored today")
	r.cfg.Note(event.Attestation, s.Attested)
	return nil
}

// attestLogged bounds the restore points that the line of the day names; the file
// names all.
const attestLogged = 64

// Close saves what a later Reporter takes up.
func (r *Reporter) Close() error { return r.memory.save(r) }

// space returns total and free bytes of the vault's file system.
func (r *Reporter) space() (total, free int64) {
	var st unix.Statfs_t
	if unix.Statfs(r.cfg.Vault, &st) != nil {
		return 0, 0
	}
	return int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize
}
