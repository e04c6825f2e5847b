package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// MaxObject is the first size that is refused, in bytes.
	MaxObject = 1 << 62
	// maxOpen bounds the partial objects that are kept open.
	maxOpen = 128
	// smallObject is up to which size an object that comes in one piece waits in
	// memory for its end, in bytes.
	smallObject = 1 << 20
	// mapBytes and mapEvery are after how much the map of a partial object is
	// brought up to date on disk.
	mapBytes = 256 << 20
	mapEvery = 5 * time.Second
	// syncFirst is from which size an object is synced before it is called
	// complete, in bytes: if the disk refuses some of it, the rest is not lost.
	syncFirst = 64 << 20
)

// object is a partial object: a file with holes, and which of them are filled.
type object struct {
	key   key
	file  *os.File // nil while it is in memory
	of    string   // the snapshot that it came for: source and name
	held  ranges   // what is there, as far as this process knows
	safe  ranges   // of that, what the map on disk says
	end   *end     // what it is when it is whole, once that is known
	bytes []byte   // of a small object

	hash     hash.Hash // of the bytes up to frontier
	frontier int64
	dirty    int64 // bytes written since the map was saved
	out      writeback
	used     uint64
	saved    time.Time
}

// end is what an object is when it is whole.
type end struct {
	content
	Holes [][2]int64 // never sent, read as zeros
}

// WriteRange stores bytes of an object. What is there already is not written
// again; complete objects are never changed. A disk that is full, or fails, is
// no reason to stop: the range counts as missing until it comes again.
func (v *Vault) WriteRange(s Snapshot, id ObjectID, off int64, p []byte) error {
	if err := s.check(); err != nil {
		return err
	}
	if off < 0 || len(p) == 0 || off > MaxObject-int64(len(p)) {
		return fmt.Errorf("a range of %d bytes at %d: %w", len(p), off, ErrLimit)
	}
	k := key{s.Sender, id}
	if v.small != nil && v.small.key != k {
		v.clearSmall()
	}
	if v.isDone(s, k) || v.has(k) {
		return nil
	}
	if v.overQuota(s, k, int64(len(p))) {
		return nil
	}
	if err := v.space.ask(len(p)); err != nil {
		return v.failed(err)
	}
	o, err := v.object(s, k, off, p)
	if o == nil || err != nil {
		return v.failed(err)
	}
	return v.failed(v.write(o, off, p))
}

// failed swallows errors of the disk once they are logged; others go up.
func (v *Vault) failed(err error) error {
	if err == nil || errors.Is(err, ErrLimit) || errors.Is(err, ErrConflict) || errors.Is(err, ErrName) {
		return err
	}
	v.troubled(err)
	return nil
}

// object returns the partial object, or nil if the range was taken into memory.
func (v *Vault) object(s Snapshot, k key, off int64, p []byte) (*object, error) {
	if o := v.open[k]; o != nil {
		return o, nil
	}
	if v.small == nil && off == 0 && len(p) <= smallObject {
		if _, begun := v.partial[k]; !begun {
			v.small = &object{key: k, of: of(s), bytes: append([]byte(nil), p...)}
			return nil, nil
		}
	}
	if err := v.flushSmall(); err != nil {
		return nil, err
	}
	if o := v.open[k]; o != nil {
		return o, nil
	}
	return v.openObject(k, of(s))
}

func sourceOf(of string) string {
	source, _, _ := strings.Cut(of, "/")
	return source
}

// of names the snapshot that an object came for.
func of(s Snapshot) string { return s.Source + "/" + s.Name() }

// flushSmall turns the object in memory into a partial one on disk.
func (v *Vault) flushSmall() error {
	small := v.small
	if small == nil {
		return nil
	}
	v.small = nil
	o, err := v.openObject(small.key, small.of)
	if err != nil {
		return err
	}
	return v.write(o, 0, small.bytes)
}

// clearSmall does that for whoever comes next. What becomes of the object in memory
// is nothing to them, who may be another sender's.
func (v *Vault) clearSmall() {
	if err := v.failed(v.flushSmall()); err != nil {
		v.log.Debug().Err(err).Msg("an object that came in one piece was refused") // the limit is noted
	}
}

// openObject opens a partial object, or begins it.
func (v *Vault) openObject(k key, of string) (*object, error) {
	if len(v.open) >= maxOpen {
		if err := v.park(v.oldest()...); err != nil {
			v.troubled(err)
		}
	}
	if err := v.mayBeginObject(k); err != nil {
		return nil, err
	}
	path := v.incoming(k)
	if err := v.dirFor(v.own("incoming", k.sender)); err != nil {
		return nil, err
	}
	o := &object{key: k, of: of, hash: sha256.New(), saved: v.opt.Now()}
	if err := o.load(path); err != nil {
		return nil, err
	}
	flags := os.O_RDWR | os.O_CREATE
	if len(o.held) == 0 {
		if err := v.removeMap(k); err != nil {
			return nil, err
		}
		flags |= os.O_TRUNC // without a map nothing in the file can be trusted
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a partial object: %w", err)
	}
	o.file = f
	v.open[k] = o
	v.arrive(k, sourceOf(of), 0)
	return o, nil
}

// write stores what of p is not there yet, and completes the object if that was
// all that was missing.
func (v *Vault) write(o *object, off int64, p []byte) error {
	v.used++
	o.used = v.used
	if o.end != nil && off+int64(len(p)) > o.end.Size {
		return fmt.Errorf("bytes past the end of object %v: %w", o.key.id, ErrConflict)
	}
	for at := 0; at < len(p); at += writeStep {
		if err := v.writePart(o, off+int64(at), p[at:min(at+writeStep, len(p))]); err != nil {
			return err
		}
	}
	if err := v.writeBack(o, off, off+int64(len(p))); err != nil {
		return err
	}
	if o.dirty >= mapBytes {
		if err := v.saveMap(o); err != nil {
			return err
		}
	}
	return v.complete(o)
}

// writeStep is how much is written at once, in bytes. A file system that gets much
// at once takes large pieces of memory for it: 4 MiB cost half of 256 KiB, while
// the hash loses nothing by coming later.
const writeStep = 4 << 20

// writePart stores what of one step is not there yet, and hashes it.
func (v *Vault) writePart(o *object, off int64, p []byte) error {
	for _, gap := range o.held.lacking(off, off+int64(len(p))) {
		part := p[gap[0]-off : gap[1]-off]
		hashed := o.advance(gap[0], part)
		_, err := v.disk.writeAt(o.file, part, gap[0])
		switch hashed.Wait(); {
		case err != nil:
			o.hashAnew()
			// How much of it was written is unknown; none of it is claimed.
			return fmt.Errorf("writing object %v: %w", o.key.id, err)
		case !o.held.add(gap[0], gap[1]):
			o.hashAnew()
			return fmt.Errorf("object %v comes in too many pieces: %w", o.key.id, ErrLimit)
		}
		o.dirty += int64(len(part))
		v.arrive(o.key, sourceOf(o.of), int64(len(part)))
		v.roomAgain()
	}
	return nil
}

// besideFrom is from which length on bytes are hashed while they are written, by
// another CPU if there is one. The hash costs as much as all else here.
const besideFrom = 256 << 10

// advance carries the hash along the front of the object while its bytes are
// still at hand, and returns what to wait for before anything else is done with
// either. They must be those that are written: where others came first, these stay,
// and are read again at the end like all that came out of order.
func (o *object) advance(off int64, p []byte) *sync.WaitGroup {
	var hashed sync.WaitGroup
	if o.hash == nil || off > o.frontier || o.frontier >= off+int64(len(p)) {
		return &hashed
	}
	rest := p[o.frontier-off:]
	o.frontier = off + int64(len(p))
	if len(rest) >= besideFrom {
		hashed.Go(func() { o.hash.Write(rest) })
	} else {
		o.hash.Write(rest)
	}
	return &hashed
}

// hashAnew forgets a hash that may hold bytes which are not there: all is read
// again at the end.
func (o *object) hashAnew() { o.hash, o.frontier = sha256.New(), 0 }

// EndObject tells what an object is when it is whole. It may come before the
// data and any number of times; two that differ are a conflict, and the first
// one holds.
func (v *Vault) EndObject(s Snapshot, id ObjectID, size int64, sum Hash, holes [][2]int64) error {
	if err := s.check(); err != nil {
		return err
	}
	if size <= 0 || size >= MaxObject {
		return fmt.Errorf("an object of %d bytes: %w", size, ErrLimit)
	}
	k, e := key{s.Sender, id}, &end{content: content{size, sum}, Holes: holes}
	if !holesValid(holes, size) {
		return fmt.Errorf("the holes of object %v: %w", id, ErrLimit)
	}
	d := v.damage[k]
	if v.isDone(s, k) {
		return nil
	}
	if d != nil && d.content != e.content {
		return fmt.Errorf("another end of object %v, which is damaged: %w", id, ErrConflict)
	}
	if c, ok := v.known(k); ok {
		if c != e.content {
			return fmt.Errorf("another end of object %v: %w", id, ErrConflict)
		}
		return nil
	}
	if v.isEmpty(k) && v.overQuota(s, k, holed(holes)) {
		return nil // an object of which nothing is ever sent takes an inode too
	}
	if small := v.small; small != nil && small.key == k && int64(len(small.bytes)) == size {
		v.small = nil
		return v.failed(v.storeSmall(k, s.Source, small.bytes, e))
	}
	if v.small != nil && v.small.key != k {
		v.clearSmall()
	}
	if err := v.flushSmall(); err != nil {
		return v.failed(err)
	}
	return v.failed(v.endPartial(s, k, e))
}

// isEmpty reports whether nothing has come of an object yet.
func (v *Vault) isEmpty(k key) bool {
	_, begun := v.arrivals[k]
	return !begun && (v.small == nil || v.small.key != k)
}

// holed returns how many bytes are never sent.
func holed(holes [][2]int64) (n int64) {
	for _, h := range holes {
		n += h[1]
	}
	return n
}

func holesValid(holes [][2]int64, size int64) bool {
	last := int64(-1)
	for _, h := range holes {
		if h[0] <= last || h[1] <= 0 || h[0] > size-h[1] {
			return false
		}
		last = h[0] + h[1]
	}
	return true
}

func (v *Vault) endPartial(s Snapshot, k key, e *end) error {
	o := v.open[k]
	if o == nil {
		var err error
		if o, err = v.openObject(k, of(s)); err != nil {
			return err
		}
	}
	switch {
	case o.end == nil && o.held.end() > e.Size:
		v.drop(o)
		return fmt.Errorf("object %v ends before its bytes do: %w", k.id, ErrConflict)
	case o.end == nil:
		o.end = e
		o.dirty++ // the end is worth a new map too
	case o.end.content != e.content:
		return fmt.Errorf("another end of object %v: %w", k.id, ErrConflict)
	}
	if err := o.takeHoles(); err != nil {
		return err
	}
	return v.complete(o)
}

// takeHoles counts the holes of an object as there, also once more: what a failed sync
// or read has put in doubt of them, no pass sends again.
func (o *object) takeHoles() error {
	for _, h := range o.end.Holes {
		if o.held.holds(h[0], h[0]+h[1]) {
			continue
		}
		if !o.held.add(h[0], h[0]+h[1]) {
			return fmt.Errorf("object %v comes in too many pieces: %w", o.key.id, ErrLimit)
		}
		o.dirty++
	}
	return nil
}
