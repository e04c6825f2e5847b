package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/event"
)

const (
	locksDir    = "locks"
	locksSuffix = ".json"
	// maxLocks bounds the file of a source's locks, in bytes: some 100,000 restore points.
	maxLocks = 16 << 20
	// maxLockAhead bounds how far ahead a lock may reach.
	maxLockAhead = 100 * 365 * 24 * time.Hour
)

// Errors of locks.
var (
	ErrLocked     = errors.New("it is locked; no command removes it before that date")
	ErrLockShort  = errors.New("a lock can only be made longer")
	ErrLockDamage = errors.New("the record of locks is damaged, so everything of the source counts as locked")
)

// sourceLocks are the locks of a source's restore points. They lie beside the
// catalog, not in it: a rebuilt catalog forgets none.
type sourceLocks struct {
	// Promised is the longest lock that any restore point of the source was
	// published with. It stands in for a date that is not there.
	Promised duration             `json:"promised"`
	Until    map[string]time.Time `json:"until"`             // by name of the restore point
	Removed  ranges               `json:"removed,omitempty"` // numbers of those that are gone
	// LastRemoved is when the latest of these was taken, by the sender's clock. Zero
	// where an earlier release removed them.
	LastRemoved time.Time `json:"last_removed,omitzero"`
}

// duration is written as "720h0m0s".
type duration time.Duration

// MarshalText is the inverse of UnmarshalText.
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *duration) UnmarshalText(text []byte) error {
	n, err := time.ParseDuration(string(text))
	*d = duration(n)
	return err
}

func (l layout) locks(sender, source string) string {
	return l.own(locksDir, sender, source+locksSuffix)
}

// readLocks returns the locks of a source. A file that cannot be read is an
// error, never "no locks".
func readLocks(l layout, sender, source string) (sourceLocks, error) {
	var s sourceLocks
	data, err := readBounded(l.locks(sender, source), maxLocks)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s/%s: %w: %w", sender, source, ErrLockDamage, err)
	}
	if s.Until == nil {
		s.Until = map[string]time.Time{}
	}
	return s, nil
}

// until returns the end of a restore point's lock. Without a date it is that of
// the longest lock that was promised, or is configured.
func (s sourceLocks) until(name string, received time.Time, configured time.Duration) time.Time {
	if t, ok := s.Until[name]; ok {
		return t
	}
	return received.Add(max(time.Duration(s.Promised), configured))
}

// AddLocks completes infos of a vault with the dates until which restore points are
// locked, as far as these are to come.
func AddLocks(dir string, infos []Info) error {
	known, now := map[sourceKey]sourceLocks{}, time.Now()
	for i := range infos {
		info, k := &infos[i], sourceKey{infos[i].Sender, infos[i].Source}
		all, ok := known[k]
		if !ok {
			var err error
			if all, err = readLocks(layout{dir}, k.sender, k.source); err != nil {
				return err
			}
			known[k] = all
		}
		if until := all.until(info.Name, info.Received, 0); info.published() && until.After(now) {
			info.Locked = until
		}
	}
	return nil
}

func (v *Vault) saveLocks(sender, source string, s sourceLocks) error {
	path := v.locks(sender, source)
	if err := v.makeDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing the locks: %w", err)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return v.disk.replace(path, append(data, '\n'), 0o644)
}

// retention returns what holds for a source.
func (o Options) retention(sender, source string) Retention {
	if o.Retention == nil {
		return Retention{}
	}
	return o.Retention(sender, source)
}

// lockPoint writes down until when a restore point is locked, before it is
// published. A date from an attempt that failed is not shortened either.
func (v *Vault) lockPoint(s Snapshot, received time.Time) error {
	lock := v.opt.retention(s.Sender, s.Source).Lock
	all, err := readLocks(v.layout, s.Sender, s.Source)
	if err != nil {
		return err
	}
	if lock = max(lock, time.Duration(all.Promised)); lock <= 0 {
		return nil
	}
	all.Promised = duration(lock)
	if until := received.Add(lock); until.After(all.Until[s.Name()]) {
		all.Until[s.Name()] = until
	}
	return v.saveLocks(s.Sender, s.Source, all)
}

// lockedUntil returns the end of the lock of a restore point.
func (v *Vault) lockedUntil(s Snapshot) (time.Time, error) {
	all, err := readLocks(v.layout, s.Sender, s.Source)
	if err != nil {
		return time.Time{}, err
	}
	st, err := os.Stat(filepath.Join(v.point(s), sumsFile))
	if err != nil && all.Until[s.Name()].IsZero() {
		return time.Time{}, fmt.Errorf("finding out when %s was received: %w", s.Ref(), err)
	}
	var received time.Time
	if err == nil {
		received = st.ModTime()
	}
	return all.until(s.Name(), received, v.opt.retention(s.Sender, s.Source).Lock), nil
}

// checkLocks refuses a configuration that would shorten what was promised.
func (v *Vault) checkLocks() error {
	if v.opt.Retention == nil {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(globQuote(v.own(locksDir)), "*", "*"+locksSuffix))
	if err != nil {
		return fmt.Errorf("listing the locks: %w", err)
	}
	var all []error
	for _, path := range files {
		sender, source := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), locksSuffix)
		s, err := readLocks(v.layout, sender, source)
		if err != nil {
			v.log.Error().Str(event.Field, event.DiskError).Err(err).Msg("nothing of the source is removed until an operator has looked")
			continue
		}
		if now, was := v.opt.retention(sender, source).Lock, time.Duration(s.Promised); now < was {
			all = append(all, fmt.Errorf("%s/%s: the configuration says lock = %q, restore points were stored with a lock of %v: %w; "+
				"write at least that into its [[source]]", sender, source, now, was, ErrLockShort))
		}
	}
	return errors.Join(all...)
}

// LockRequest is the detail of ActionLock. Exactly one of the two is given.
type LockRequest struct {
	Until time.Time     `json:"until,omitzero"`
	For   time.Duration `json:"for,omitempty"` // from now, by the vault's clock
}

// lockAction makes the lock of a restore point longer, and returns its end.
func lockAction(v *Vault, r Request) (any, error) {
	s, err := snapshotOf(r)
	if err != nil {
		return nil, err
	}
	var ask LockRequest
	if err := json.Unmarshal(r.Detail, &ask); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	now := v.clock.read()
	until := ask.Until
	if ask.For > 0 {
		until = now.Add(ask.For)
	}
	if until.Sub(now) > maxLockAhead {
		return nil, fmt.Errorf("a lock until %s: %w", until.Format(time.RFC3339), ErrLimit)
	}
	return until.UTC().Truncate(time.Second), v.extendLock(s, until.UTC().Truncate(time.Second))
}

func (v *Vault) extendLock(s Snapshot, until time.Time) error {
	if _, err := os.Lstat(v.point(s)); err != nil {
		return fmt.Errorf("%s: %w", s.Ref(), ErrNotFound)
	}
	was, err := v.lockedUntil(s)
	if err != nil {
		return err
	}
	if !until.After(was) {
		return fmt.Errorf("%s is locked until %s: %w", s.Ref(), was.UTC().Format(time.RFC3339), ErrLockShort)
	}
	all, err := readLocks(v.layout, s.Sender, s.Source)
	if err != nil {
		return err
	}
	all.Until[s.Name()] = until
	if err := v.saveLocks(s.Sender, s.Source, all); err != nil {
		return err
	}
	v.note(event.LockExtended, s, "until "+until.Format(time.RFC3339))
	return nil
}
