package vault

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/event"
	"weir/internal/manifest"
)

const (
	// maxPending bounds the snapshots of one source that are not whole.
	maxPending = 1000
	// DefaultMaxManifest bounds the manifest file, in bytes: some ten million
	// entries.
	DefaultMaxManifest = 4 << 30
	// maxWindow bounds what decompression may need, in bytes.
	maxWindow = 8 << 20
)

// ManifestRef closes a snapshot: it says what the manifest is and where it comes.
type ManifestRef struct {
	Object     ObjectID          `json:"object"`
	ObjectSize int64             `json:"object_size"` // bytes of the object, which is compressed
	Size       int64             `json:"size"`        // bytes of the manifest file
	SHA256     Hash              `json:"sha256"`      // of the manifest file
	Previous   Hash              `json:"previous"`
	Signature  [64]byte          `json:"signature"`
	PublicKey  ed25519.PublicKey `json:"public_key"` // that made it; nil while it may be any of the sender's
}

// pending is a snapshot that is not whole.
type pending struct {
	Info
	Ref      *ManifestRef `json:"ref,omitempty"`
	snap     Snapshot
	of       string               // see of
	manifest bool                 // manifest.jsonl is there and good
	missing  map[ObjectID]content // what the manifest lists and the vault lacks
	more     bool                 // more is missing than missing holds
	stale    bool                 // missing must be made anew
	reported bool                 // nothing came since it was reported
	failed   time.Time            // when publication failed last
	backoff  time.Duration        // and how long the next try waits
	notTill  time.Time            // when it is worth trying again
	unsaved  bool                 // info.json is to be written, see enter
	unseen   bool                 // to be told of as one of which nothing came
	waits    bool                 // to be worked on beside
	long     bool                 // it took too long to be done at once
	broken   bool                 // it does not name the manifest before it
	tells    bool                 // to be told beside what it lacks
	site     *site                // where it is worked on beside, or nil
	copies   map[ObjectID]string  // files in its tree that are to take the place of objects
}

func isObject(e *manifest.Entry) bool {
	return e.Kind == manifest.File && e.Object != ([16]byte{})
}

// lists reports whether the snapshot waits for the object with this content.
func (p *pending) lists(id ObjectID, c content) bool {
	want, ok := p.missing[id]
	return ok && want == c || p.Ref != nil && p.Ref.Object == id
}

// gain notes that an object is there. One that is not what the manifest lists
// stays missing.
func (p *pending) gain(id ObjectID, c content) {
	if p.missing[id] == c {
		delete(p.missing, id)
	}
}

func norm(s Snapshot) Snapshot {
	s.Taken = s.Taken.UTC().Truncate(time.Second)
	return s
}

// isPublished reports whether the restore point is there, or was until it was
// removed.
func (v *Vault) isPublished(s Snapshot) bool {
	s = norm(s)
	if v.pending[s] != nil {
		return false
	}
	if v.whole[s] || v.isRemoved(s) {
		return true
	}
	if _, err := os.Lstat(v.point(s)); err != nil {
		return false
	}
	if len(v.whole) >= maxPending {
		clear(v.whole)
	}
	v.whole[s] = true
	return true
}

// Touch tells that a snapshot exists. It is listed from now on, or soon, as not
// whole until it is.
func (v *Vault) Touch(s Snapshot) error {
	s = norm(s)
	if len(v.sites) > 0 {
		v.collectSites()
	}
	if p := v.pending[s]; p != nil {
		p.reported, p.unseen = false, false
		return nil
	}
	return v.begin(s, false)
}

// begin takes a snapshot up that is not pending.
func (v *Vault) begin(s Snapshot, unseen bool) error {
	if err := s.check(); err != nil {
		return err
	}
	if v.isPublished(s) {
		return nil
	}
	if err := v.mayBegin(s); err != nil {
		return err
	}
	p := &pending{snap: s, of: of(s), unseen: unseen, Info: Info{
		Name: s.Name(), Sender: s.Sender, Source: s.Source, Number: s.Number, Taken: s.Taken,
		Received: v.clock.read(), State: Partial,
	}}
	v.pending[s] = p
	return v.failed(v.enter(p))
}

// Announced tells of a snapshot that the sender says to have sent. One of which
// nothing has come is noted, and listed as not whole from now on, or soon.
func (v *Vault) Announced(s Snapshot) error {
	if s = norm(s); v.pending[s] != nil {
		return nil
	}
	return v.begin(s, true)
}

// enter writes down what is new of a snapshot, and tells of one of which nothing
// came. That syncs the disk a few times, and costs the sender a line: one block can
// hold a hundred thousand. So what is beyond the sender's share waits for a Settle.
func (v *Vault) enter(p *pending) error {
	begun := time.Now()
	share := v.entries.of(p.Sender, v.entering, begun)
	if share.left <= 0 {
		p.unsaved = true
		return nil
	}
	defer func() { share.left -= time.Since(begun) }()
	if err := v.savePending(p); err != nil {
		return err
	}
	if !p.unseen {
		return nil
	}
	p.unseen = false
	if v.noteOften(event.SnapshotUnseen, p.snap, "") {
		v.log.Warn().Str(event.Field, event.SnapshotUnseen).Str("snapshot", p.snap.Ref()).
			Msg("the sender has sent a snapshot of which nothing came; push the source again")
	}
	return nil
}

func (v *Vault) savePending(p *pending) error {
	p.unsaved = true
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	dir := v.layout.pending(p.snap)
	if err := v.makeDir(dir); err != nil {
		return err
	}
	err = v.disk.replace(filepath.Join(dir, infoFile), append(data, '\n'), 0o644)
	p.unsaved = err != nil
	return err
}

// catchUp does what had to wait, or what a disk that failed has kept from being done,
// as soon as it can be written again: a snapshot that is not on the disk is not listed,
// and nobody is asked for what it lacks.
func (v *Vault) catchUp() {
	for _, p := range v.pending {
		if !p.unsaved && !p.unseen {
			continue
		}
		if was := p.unsaved; v.enter(p) == nil && was && !p.unsaved {
			p.reported = false
		}
	}
	for s, p := range v.uncleared {
		if v.tidy(p) == nil {
			delete(v.uncleared, s)
		}
	}
}

// enterRest writes down, before the vault is closed, what still waits for that. What
// would take too long comes again, as after a crash.
func (v *Vault) enterRest() {
	end := time.Now().Add(onceBurst)
	for _, p := range v.pending {
		if time.Now().After(end) {
			return
		}
		if !p.unsaved {
			continue
		}
		if err := v.savePending(p); err != nil {
			v.troubled(err)
		}
	}
}

// loadPending takes up the snapshots that an earlier process left.
func (v *Vault) loadPending() error {
	found, err := snapshotsBelow(v.own("pending"))
	if err != nil {
		return err
	}
	var placed []*pending
	for _, s := range found {
		dir := v.layout.pending(s)
		if v.isRemoved(s) && !exists(v.point(s)) {
			if err := removeBelow(filepath.Dir(dir), s.Name()); err != nil { // it was being dropped
				v.troubled(err)
			}
			continue
		}
		p := &pending{snap: s}
		data, err := os.ReadFile(filepath.Join(dir, infoFile))
		if err != nil || json.Unmarshal(data, p) != nil {
			p = &pending{snap: s, Info: Info{Received: v.clock.read()}}
		}
		p.of, p.Name, p.Sender, p.Source, p.Number, p.Taken, p.State = of(s), s.Name(), s.Sender, s.Source, s.Number, s.Taken, Partial
		v.pending[s] = p
		_, merr := os.Lstat(filepath.Join(dir, manifestFile))
		p.manifest = merr == nil && p.Ref != nil
		if p.stale = p.manifest; p.manifest {
			p.count(dir)
		}
		if exists(v.point(s)) {
			placed = append(placed, p)
		}
	}
	if err := v.fillCatalog(); err != nil {
		return err
	}
	return v.takeUp(placed)
}

// count takes what a manifest that has come lists from its last line: a crash may have
// kept it from being written beside it.
func (p *pending) count(dir string) {
	if t, err := readTrailer(filepath.Join(dir, manifestFile)); err == nil {
		p.Files, p.Bytes, p.Problems = t.Files, t.Bytes, t.Problems
	}
}

// takeUp ends what was under way when the process before this one ended.
func (v *Vault) takeUp(placed []*pending) error {
	for _, p := range placed {
		if err := v.takeUpPlaced(p); err != nil {
			v.troubled(err)
		}
	}
	for _, p := range v.pending {
		begun := time.Now()
		if p.stale && v.goesBeside(p, begun) {
			continue // of thousands of large ones nobody could wait for the last
		}
		if err := v.refresh(p, v.builder()); err != nil {
			v.troubled(err)
		}
		v.onceOf(p.Sender, begun).left -= time.Since(begun)
	}
	return nil
}

// CloseSnapshot tells what the manifest of a snapshot is. When it has come and
// all of its objects are there, the restore point is published.
func (v *Vault) CloseSnapshot(s Snapshot, ref ManifestRef) error {
	s = norm(s)
	if err := v.Touch(s); err != nil {
		return err
	}
	p := v.pending[s]
	if p == nil {
		return v.compare(s, ref)
	}
	if most := v.opt.MaxManifest; ref.Size <= 0 || ref.Size > most || ref.ObjectSize <= 0 || ref.ObjectSize > most {
		v.noteOften(event.ManifestRefused, s, fmt.Sprintf("it has %d bytes, max_manifest is %d", ref.Size, most))
		return fmt.Errorf("a manifest of %d bytes: %w; raise max_manifest if that can be", ref.Size, ErrLimit)
	}
	if p.Ref != nil && p.Ref.SHA256 != ref.SHA256 {
		v.noteOften(event.ManifestRefused, s, "a second manifest with another content: "+ref.SHA256.String())
		return fmt.Errorf("a second manifest of %s: %w", s.Ref(), ErrConflict)
	}
	if p.Ref != nil && p.Ref.Signature != ref.Signature && (!p.manifest || v.isRevoked(p.Sender, p.Ref.PublicKey)) {
		if err := v.dropManifest(p); err != nil { // this one may be signed with a good key
			return v.failed(err)
		}
	}
	if p.Ref == nil {
		p.Ref, p.AbandonedAt = &ref, time.Time{} // it is finished, whatever was said
		if err := v.enter(p); err != nil {
			return v.failed(err)
		}
	}
	err := v.advance(p)
	v.startSites()
	return v.failed(err)
}

// dropManifest forgets the manifest of a snapshot, first on the disk: a manifest
// that lies there counts as checked.
func (v *Vault) dropManifest(p *pending) error {
	dir := v.layout.pending(p.snap)
	err := os.Remove(filepath.Join(dir, manifestFile))
	if err == nil {
		err = v.disk.syncPath(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.Ref, p.manifest, p.missing = nil, false, nil
	return nil
}

// advance takes a snapshot as far as it goes: manifest, then publication. What
// took long and came to nothing has to wait, so that the others get their turn.
func (v *Vault) advance(p *pending) error {
	now := time.Now()
	if p.waits = false; p.site != nil || now.Before(p.notTill) || !v.ripe(p) {
		return nil
	}
	if v.goesBeside(p, now) {
		p.waits = true // see startSites
		return nil
	}
	err := v.attempt(p)
	v.onceOf(p.Sender, now).left -= time.Since(now)
	v.pause(p, now)
	return err
}

// pause lets a snapshot wait that was worked on for long since then.
func (v *Vault) pause(p *pending, since time.Time) {
	if took := time.Since(since); took > longAttempt {
		p.notTill = since.Add(attemptPause * took)
	}
}

// attempt does that at once. What turns out to take long goes on beside.
func (v *Vault) attempt(p *pending) error {
	err := v.attemptOnce(p)
	if errors.Is(err, errTooLong) {
		p.long, p.waits, p.stale = true, true, p.manifest
		return nil
	}
	return err
}

func (v *Vault) attemptOnce(p *pending) error {
	if !p.manifest {
		if ok, err := v.takeManifest(p, v.briefBuilder()); err != nil || !ok {
			return err
		}
	}
	if err := v.refresh(p, v.briefBuilder()); err != nil {
		return err
	}
	if len(p.missing) > 0 || p.more || v.saidRevoked(p) {
		return nil
	}
	return v.publish(p, v.briefBuilder())
}
