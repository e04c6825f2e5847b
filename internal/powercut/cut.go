package powercut

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// Cuts makes images of what power cuts would have left of a recorded disk. They
// have to be asked for in the order of time.
type Cuts struct {
	Tear int // writes are torn between pieces of so many bytes, a multiple of Sector

	log     []op
	size    int64
	base    *os.File
	applied int // how much of the log is in base
}

// Cuts begins at the moment of Record; base is a file for its own use.
func (d *Disk) Cuts(base string) (*Cuts, error) {
	if err := d.SaveTo(base); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(base, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the base of the cuts: %w", err)
	}
	return &Cuts{Tear: Sector, size: d.size, base: f}, nil
}

// Take takes over what was recorded up to now.
func (c *Cuts) Take(d *Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.log = d.log
}

// Close lets go of the base.
func (c *Cuts) Close() error { return c.base.Close() }

// Flushed returns the moment up to which everything is on the disk for sure, when
// the power is cut at a moment.
func (c *Cuts) Flushed(at int) int {
	for i := at; i > 0; i-- {
		if c.log[i-1].data == nil {
			return i
		}
	}
	return 0
}

// Image writes what the disk holds after a cut at a moment. Without chance it is
// all that was written, as a disk without a cache has it. With chance it is all
// that was flushed, and of the rest what chance lets through, some of it torn.
func (c *Cuts) Image(to string, at int, chance *rand.Rand) error {
	flushed := c.Flushed(at)
	if flushed < c.applied {
		return fmt.Errorf("a cut at %d, after one whose flush was at %d: cuts go forward in time", at, c.applied)
	}
	for _, o := range c.log[c.applied:flushed] {
		if _, err := c.base.WriteAt(o.data, o.off); err != nil {
			return fmt.Errorf("making a disk: %w", err)
		}
	}
	c.applied = flushed
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	defer out.Close()
	if err := copySparse(out, c.base, c.size); err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	keep := 1.0
	if chance != nil {
		keep = chance.Float64()
	}
	for _, o := range c.log[flushed:at] {
		if err := c.late(out, o, keep, chance); err != nil {
			return fmt.Errorf("making a disk: %w", err)
		}
	}
	return out.Close()
}

// tornShare is which part of the late writes that get through is torn.
const tornShare = 0.2

func (c *Cuts) late(out *os.File, o op, keep float64, chance *rand.Rand) error {
	if chance == nil {
		_, err := out.WriteAt(o.data, o.off)
		return err
	}
	if chance.Float64() >= keep {
		return nil
	}
	if chance.Float64() >= tornShare {
		_, err := out.WriteAt(o.data, o.off)
		return err
	}
	for at := 0; at < len(o.data); at += c.Tear {
		if chance.IntN(2) == 0 {
			continue
		}
		if _, err := out.WriteAt(o.data[at:min(at+c.Tear, len(o.data))], o.off+int64(at)); err != nil {
			return err
		}
	}
	return nil
}

// copySparse copies what a file holds, without its holes.
func copySparse(to, from *os.File, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(int(from.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(to, data), io.NewSectionReader(from, data, hole-data)); err != nil {
			return err
		}
		at = hole
	}
	return to.Truncate(size)
}
