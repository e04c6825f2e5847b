package vault

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/masschange"
)

// Errors of the vault.
var (
	ErrInUse    = errors.New("another process holds the vault, weir-recv or a weir-vault command that changes it; wait until it has ended, or end it, which loses nothing")
	ErrSpace    = errors.New("the vault's disk is full: make room, or lower min_free")
	ErrConflict = errors.New("it contradicts what the vault already has")
	ErrLimit    = errors.New("a limit of the vault is exceeded")
	ErrDamaged  = errors.New("it is damaged")
	ErrGone     = errors.New("the vault is not there any more: mount its disk again and start weir-recv anew")
)

// Options say how a vault is written.
type Options struct {
	MinFree   int64 // bytes of the disk that new data must leave free
	Log       zerolog.Logger
	Now       func() time.Time     // nil for time.Now
	ClockHold time.Duration        // how long a leap ahead of Now must last to be believed: 0 for DefaultClockHold, below 0 it is at once
	OnPublish func(Info)           // may be nil
	rebuild   bool                 // the catalog
	ticks     func() time.Duration // of a clock that nobody sets; nil for the one that goes with Now
	Point     func(name string)    // for tests: a named point of the discipline is passed; may be nil

	// Signers are the keys of the senders, by name: one of them must have signed a
	// manifest. Nothing that one of Revoked signed is published any more.
	Signers, Revoked map[string][]ed25519.PublicKey
	// OnSigners is told of each change of them that an operator asked for; may be nil.
	OnSigners func(SignersChanged) error

	// MassChange says what is suspicious in a source; nil for the defaults.
	MassChange func(sender, source string) masschange.Limits

	MaxManifest int64 // bytes of the largest manifest, 0 for DefaultMaxManifest
	// Beside is from which size of the manifest, in bytes, the work on a snapshot goes
	// on beside what comes: 0 for DefaultBeside, below 0 always.
	Beside int64

	Retention  func(sender, source string) Retention // nil: nothing is ever removed
	PruneEvery time.Duration                         // 0: only when asked
	Quota      func(sender, source string) Quota     // nil: no bounds
	ScrubEvery time.Duration                         // 0: only when asked
	ScrubRate  int64                                 // bytes a second of scrubs on schedule, 0 for no bound
}

// Vault is a vault that is open for writing. Its methods are called from one
// goroutine.
type Vault struct {
	layout
	opt     Options
	disk    disk
	log     zerolog.Logger
	lock    *os.File
	root    *os.File // what syncfs(2) is called on: kept open, so that no error is missed
	catalog *catalog
	events  *eventLog
	clock   *clock

	open    map[key]*object  // partial objects that are in use
	partial map[key]string   // partial objects that have a map on disk, and the snapshot they came for
	fresh   map[key]content  // complete, not synced yet
	held    map[key]*os.File // a few of them, kept open until they are synced
	ready   []key            // partial objects that lack nothing and are not open
	sums    sumBudget        // what of objects may be read back until the next Settle
	reading atomic.Bool      // see ReadingBack
	small   *object          // the latest short object, still in memory
	used    uint64           // counts uses of partial objects
	pending map[Snapshot]*pending
	whole   map[Snapshot]bool // published ones that came up lately
	listed  map[Snapshot]Hash // of these, the manifests that others were held against
	made    map[string]bool   // directories that are there
	orphans bool              // objects that the catalog lacks may lie about from before a crash
	unswept map[string]bool   // senders whose orphans are still to be removed

	uncleared map[Snapshot]*pending // published, but what is left of their publication could not be removed

	bounds // of what one sender can cause

	keeping
	beside

	space     spaceWatch
	unfilled  bool                 // the catalog is new
	mendAfter time.Time            // not before is it mended once more
	syncEach  int                  // up to how many files and directories are synced one by one
	full      bool                 // data was refused for want of space
	noted     map[string]time.Time // when trouble of each kind was logged last
}

// Create makes an empty vault in dir, or leaves the one that is there.
func Create(dir string) error {
	d := realDisk()
	for _, name := range []string{"objects", "incoming", "pending", "staging"} {
		if err := d.makeDir(filepath.Join(dir, ownDir, name)); err != nil {
			return fmt.Errorf("making the vault: %w", err)
		}
	}
	return nil
}

// Open opens a vault for writing, makes it if it is not there, and clears up
// after a crash. Only one process can have it open for writing.
func Open(dir string, opt Options) (*Vault, error) { return open(dir, opt, realDisk()) }

func open(dir string, opt Options, d disk) (*Vault, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	if err := Create(dir); err != nil {
		return nil, err
	}
	switch {
	case opt.Now == nil:
		opt.Now = time.Now
	case opt.ticks == nil:
		opt.ticks = ticksOf(opt.Now)
	}
	if opt.MaxManifest == 0 {
		opt.MaxManifest = DefaultMaxManifest
	}
	if opt.Beside == 0 {
		opt.Beside = DefaultBeside
	}
	v := &Vault{
		layout: layout{dir}, opt: opt, disk: d, log: opt.Log,
		open: map[key]*object{}, partial: map[key]string{}, fresh: map[key]content{}, held: map[key]*os.File{},
		pending: map[Snapshot]*pending{}, whole: map[Snapshot]bool{}, listed: map[Snapshot]Hash{}, made: map[string]bool{}, unswept: map[string]bool{}, uncleared: map[Snapshot]*pending{}, noted: map[string]time.Time{},
		keeping: newKeeping(), beside: newBeside(),
	}
	if opt.Point != nil {
		v.disk.point = oneByOne(opt.Point)
	}
	v.bounds = newBounds()
	v.space = spaceWatch{dir: dir, minFree: opt.MinFree}
	if err := v.acquire(); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// oneByOne lets the points be passed one after the other, also those beside the
// vault's goroutine.
func oneByOne(point func(string)) func(string) {
	var turn sync.Mutex
	return func(name string) {
		turn.Lock()
		defer turn.Unlock()
		point(name)
	}
}

// acquire takes the lock, opens the files and clears up after a crash.
func (v *Vault) acquire() (err error) {
	if err := v.takeLock(); err != nil {
		return err
	}
	if v.root, err = os.Open(v.own()); err != nil {
		return fmt.Errorf("opening the vault: %w", err)
	}
	v.syncEach, v.sums = syncEachOn(v.root), newSumBudget()
	bootID()
	if v.clock, err = openClock(v.own("clock"), v.opt, &v.disk); err != nil {
		return err
	}
	if v.events, err = openEvents(v.own(eventsFile), &v.disk); err != nil {
		return err
	}
	v.clock.raise(v.events.time)
	mark, err := v.takeMark()
	if err != nil {
		return err
	}
	if mark != nil && mark.Events != v.events.last {
		v.log.Error().Str(event.Field, event.VaultRecovered).Msg("the event log is not as it was when the vault was closed: weir-vault events --verify shows where it breaks")
	}
	if v.opt.rebuild {
		if err := os.Remove(v.own(catalogFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the catalog: %w", err)
		}
	}
	if err := v.openCatalog(mark); err != nil {
		return err
	}
	if err := v.openRequests(); err != nil {
		return err
	}
	if err := v.checkLocks(); err != nil {
		return err
	}
	if err := v.loadRemoved(); err != nil {
		return err
	}
	if err := v.loadDamage(); err != nil {
		return err
	}
	if err := v.loadBare(); err != nil {
		return err
	}
	return v.recover()
}

func (v *Vault) takeLock() (err error) {
	v.lock, err = os.OpenFile(v.own(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the vault: %w", err)
	}
	// Somebody may be trying whether it is held, for a moment.
	for range lockTries {
		if err = unix.Flock(int(v.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			signLock(v.lock)
			return nil
		}
		time.Sleep(lockPause)
	}
	return fmt.Errorf("opening the vault %s, held%s: %w", v.dir, holderOf(v.lock), ErrInUse)
}

const (
	lockFile  = "lock"
	lockTries = 5
	lockPause = 10 * time.Millisecond
)

// recover sweeps away what a crash left half done and takes up the snapshots
// that are not whole.
func (v *Vault) recover() error {
	if err := clearDir(v.own("staging")); err != nil {
		return fmt.Errorf("clearing the staging area: %w", err)
	}
	if err := v.openSigners(); err != nil {
		return err
	}
	v.checkHead()
	if err := v.recoverRemovals(); err != nil {
		return fmt.Errorf("holding the event log against the trash: %w", err)
	}
	if err := v.findPartial(); err != nil {
		return fmt.Errorf("listing the partial objects: %w", err)
	}
	if err := v.openQuota(); err != nil {
		return err
	}
	if err := v.loadPending(); err != nil {
		return fmt.Errorf("taking up the pending snapshots: %w", err)
	}
	if err := v.sweepOrphans(); err != nil {
		return fmt.Errorf("sweeping up after a crash: %w", err)
	}
	v.completeReady()
	return v.publishReady()
}

// Probe writes and removes a file, to find out whether the vault can be written
// still. That the disk is full is no obstacle: there may be room again.
func (v *Vault) Probe() error {
	path := v.own("staging", "probe")
	if err := v.disk.replace(path, []byte("probe\n"), 0o600); isFull(err) {
		v.troubled(err)
		return nil
	} else if err != nil {
		return err
	}
	return os.Remove(path)
}

// Close persists what is known of partial objects and lets go of the vault.
func (v *Vault) Close() error {
	if v.catalog == nil {
		return nil // it is closed already
	}
	v.stopScrub()
	v.stopSites()
	v.clearSmall()
	v.enterRest()
	err := v.syncFresh()
	if perr := v.park(slices.Collect(maps.Values(v.open))...); err == nil {
		err = perr
	}
	v.clock.save()
	if cerr := v.catalog.close(); err == nil {
		err = cerr
	}
	if err == nil && len(v.unswept) == 0 && !v.unfilled && v.catalog.broken() == nil {
		err = v.leaveMark()
	}
	v.catalog = nil
	if rerr := v.release(); err == nil {
		err = rerr
	}
	return err
}

func (v *Vault) release() error {
	v.stopScrub()
	v.stopSites()
	var err error
	if v.catalog != nil {
		err = v.catalog.close()
	}
	if v.events != nil {
		err = errors.Join(err, v.events.close())
	}
	for _, f := range []*os.File{v.root, v.lock} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// dirFor makes a directory of the vault's own once.
func (v *Vault) dirFor(path string) error {
	if v.made[path] {
		return nil
	}
	if err := v.makeDir(path); err != nil {
		return err
	}
	v.made[path] = true
	return nil
}

// makeDir makes a directory in a vault that is there. Where the disk was taken
// away and its mount point is left, nothing is built on the disk below.
func (v *Vault) makeDir(path string) error {
	if !exists(v.own(lockFile)) {
		return fmt.Errorf("%s: %w", v.dir, ErrGone)
	}
	return v.disk.makeDir(path)
}
