package sender

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/fec"
	"weir/internal/manifest"
	"weir/protocol"
)

// goneNames bounds the files that are named of those that cannot be sent again.
const goneNames = 20

// Again says what of a snapshot was sent once more.
type Again struct {
	Snapshot  string   `json:"snapshot"` // SOURCE/NAME
	Manifest  bool     `json:"manifest"` // with its manifest
	Files     int64    `json:"files"`
	Bytes     int64    `json:"bytes"` // content only
	Gone      int64    `json:"gone"`  // files that changed or vanished since, and are in no spool
	GoneBytes int64    `json:"gone_bytes"`
	GoneFiles []string `json:"gone_files,omitempty"` // the first of them
	Lost      bool     `json:"lost,omitempty"`       // nothing was sent: it was never finished, or is forgotten
}

// again sends content of a snapshot once more, under the same object ids.
type again struct {
	*Sender
	sent     *Sent
	packer   *packer
	trees    *trees
	result   Again
	progress func(bytes int64) // or nil
}

func (s *Sender) again(sent *Sent, u *turn) *again {
	a := &again{
		Sender: s, sent: sent, trees: &trees{paths: sent.Paths},
		packer: &packer{
			t: s.t, turn: u, shape: s.t.full, codes: map[[2]int]*fec.Code{}, context: sent.context(),
			ledger: newLedger(s.cfg.State, sent.Source, s.cfg.Clock),
		},
		result: Again{Snapshot: sent.Source + "/" + sent.Name()},
	}
	if u.level == levelPass {
		a.packer.lone, a.packer.shape = true, s.t.passShape()
	}
	return a
}

// close gives back what the work held, and remembers what has left.
func (a *again) close() error {
	a.packer.release()
	a.trees.close()
	return a.packer.ledger.save(true)
}

// file sends ranges of a file, or all of it for nil, and its End. Content that is
// to be had no more is counted.
func (a *again) file(ctx context.Context, e *manifest.Entry, ranges [][2]int64) error {
	f, err := a.find(ctx, e)
	if err != nil {
		return err
	}
	good := false
	if f != nil {
		defer f.Close()
		if good, err = a.send(ctx, f, e, ranges); err != nil {
			return err
		}
	}
	if good {
		a.result.Files++
	} else {
		a.gone(e)
	}
	return a.packer.ledger.save(false)
}

func (a *again) gone(e *manifest.Entry) {
	a.result.Gone++
	a.result.GoneBytes += e.Size
	if len(a.result.GoneFiles) < goneNames {
		a.result.GoneFiles = append(a.result.GoneFiles, printable(e.Path))
	}
}

// find opens the content of an entry: the file itself if it is the version that
// was sent, what the spool has, or the file if its content proves to be the same.
// It returns nil if there is none.
func (a *again) find(ctx context.Context, e *manifest.Entry) (*os.File, error) {
	f, v := a.trees.open(e)
	known, ok := a.cfg.State.known(a.sent.Source, e.Path)
	if f != nil && ok && known.Object == e.Object && known.sameFile(&v) {
		return f, nil
	}
	if spooled := a.spool.open(e.Object, e.Size); spooled != nil {
		if f != nil {
			f.Close()
		}
		f = spooled // a link may have been written to
	}
	if f == nil {
		return nil, nil
	}
	if e.Plain != 0 && f != nil && ok && known.Object != e.Object {
		f.Close()
		return nil, nil // how it was sealed is not known any more
	}
	same, err := a.proven(ctx, f, e)
	if !same {
		f.Close()
		f = nil
	}
	return f, err
}

// yieldEvery is how much of a file is hashed between two looks for more urgent
// work, in bytes.
const yieldEvery = 16 << 20

// proven reports whether a file has the content that was sent. That is found out
// before the first byte goes out: other bytes under the same object would spoil
// what the receiver has of it.
func (a *again) proven(ctx context.Context, f *os.File, e *manifest.Entry) (bool, error) {
	if e.Size > yieldEvery {
		if err := a.packer.cut(); err != nil {
			return false, err
		}
	}
	from, err := a.content(f, e)
	if err != nil {
		return false, err
	}
	h := sha256.New()
	for off := int64(0); off < e.Size; off += yieldEvery {
		if a.packer.block == nil {
			if err := a.packer.turn.yield(ctx); err != nil {
				return false, err
			}
		}
		n, err := io.Copy(h, io.NewSectionReader(from, off, min(yieldEvery, e.Size-off)))
		if err != nil || n == 0 {
			return false, ctx.Err()
		}
	}
	return [32]byte(h.Sum(nil)) == e.SHA256, ctx.Err()
}

// send sends what of the content is not in a hole. It returns false if the file
// changes meanwhile.
func (a *again) send(ctx context.Context, f *os.File, e *manifest.Entry, ranges [][2]int64) (bool, error) {
	from, err := a.content(f, e)
	if err != nil {
		return false, err
	}
	c := &copying{again: a, file: f, from: from, object: newObject(e.Object), whole: ranges == nil}
	if err := unix.Fstat(int(f.Fd()), &c.stat); err != nil {
		return false, nil
	}
	holes := e.Holes[:min(len(e.Holes), maxHoles(a.packer.t.full))]
	if c.whole {
		ranges = [][2]int64{{0, e.Size}}
	}
	for _, r := range ranges {
		if good, err := c.between(ctx, holes, r[0], r[0]+r[1]); !good || err != nil {
			return false, err
		}
	}
	end := &protocol.End{Object: e.Object, Size: uint64(e.Size), SHA256: e.SHA256}
	for _, h := range holes {
		end.Holes = append(end.Holes, protocol.Range{Offset: uint64(h[0]), Length: uint64(h[1])})
	}
	if !c.whole {
		return true, a.packer.end(ctx, end, nil)
	}
	if c.object.end().SHA256 != e.SHA256 {
		return false, nil
	}
	out := &sentFile{version: version{Object: e.Object}}
	if len(a.sent.Passes) > 0 { // else it may be the first time
		out.again = a.cfg.Clock.Now().UnixNano()
	}
	return true, a.packer.end(ctx, end, out)
}

// copying is one file on its way for another time.
type copying struct {
	*again
	file   *os.File
	from   io.ReaderAt // file, or what it is sealed to
	stat   unix.Stat_t
	object *object
	whole  bool // and so its hash is known in the end
}

// between sends the bytes from off to end without the holes.
func (c *copying) between(ctx context.Context, holes [][2]int64, off, end int64) (bool, error) {
	for _, h := range holes {
		from, to := max(h[0], off), min(h[0]+h[1], end)
		if from >= to {
			continue
		}
		if good, err := c.data(ctx, off, from); !good || err != nil {
			return false, err
		}
		if c.whole {
			if err := c.object.skip(ctx, to-from); err != nil {
				return false, err
			}
		}
		off = to
	}
	return c.data(ctx, off, end)
}

// data sends a run of bytes, as long as the file stays what it was.
func (c *copying) data(ctx context.Context, off, end int64) (bool, error) {
	for off < end {
		place, err := c.packer.data(ctx, c.object.id, off, end-off)
		if err != nil {
			return false, err
		}
		n, err := c.from.ReadAt(place, off)
		if err != nil && !errors.Is(err, io.EOF) || n < len(place) || c.changed() {
			return false, nil
		}
		c.packer.filled(c.object.id, off, n)
		if c.whole {
			c.object.hash.Write(place)
			c.object.size += int64(n)
		}
		off += int64(n)
		c.result.Bytes += int64(n)
		if c.progress != nil {
			c.progress(int64(n))
		}
	}
	return true, nil
}

func (c *copying) changed() bool {
	var now unix.Stat_t
	if unix.Fstat(int(c.file.Fd()), &now) != nil {
		return true
	}
	return now.Size != c.stat.Size || now.Mtim != c.stat.Mtim
}

// manifest sends the manifest and what closes the snapshot.
func (a *again) manifest(ctx context.Context) error {
	f, err := os.Open(a.history.path(a.sent.Source, a.sent.Number))
	if err != nil {
		return a.sent.damaged(err)
	}
	defer f.Close()
	e := &manifest.Entry{Size: a.sent.Stored, Object: a.sent.Object, SHA256: a.sent.StoredSHA256}
	before := a.result.Bytes
	good, err := a.send(ctx, f, e, nil)
	if a.result.Bytes = before; err != nil {
		return err
	}
	if !good {
		return fmt.Errorf("the kept manifest of %s is damaged: %w", a.result.Snapshot, ErrForgotten)
	}
	a.result.Manifest = true
	record := a.sent.record()
	if err := a.resign(record); err != nil {
		return err
	}
	return a.packer.record(ctx, protocol.ManifestSize, func(b []byte) []byte { return protocol.AppendManifest(b, record) })
}

// finish sends the last block. What somebody waits for has its tail repeated.
func (a *again) finish(ctx context.Context) error {
	if a.packer.lone {
		if err := a.packer.cut(); err != nil {
			return err
		}
		return a.packer.drain(ctx)
	}
	return a.packer.finish(ctx, func() error { return a.pause(ctx, tailGap(a.cfg.Burst)) })
}

// cut sends the block as it is, in the shape that it needs.
func (p *packer) cut() error {
	if p.block == nil {
		return nil
	}
	return p.flush(p.t.fit(p.block.used))
}
