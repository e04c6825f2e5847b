package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

var bucketObjects = []byte("objects")

// catalogBatch bounds the changes of one transaction.
const catalogBatch = 10000

// content is what an object is.
type content struct {
	Size   int64
	SHA256 Hash
}

// catalog is the index of the objects that are known to be good and on stable
// storage. It can be rebuilt from the restore points.
//
// A database that is damaged makes the library panic, or touch memory that is not
// there, so each use is guarded; and as the library has no checksums of its pages,
// each value carries one, over its key too, and the number of all of them is kept
// as the bucket's sequence.
type catalog struct {
	db     *bbolt.DB
	damage atomic.Pointer[error] // was met: it must be rebuilt
}

// errCatalog is returned for an index that is not what was written.
var errCatalog = errors.New("the catalog is damaged")

// guard turns a panic or fault of the library into an error.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errCatalog, r)
		}
	}()
	return do()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	sizeBytes  = 8
	sumBytes   = len(Hash{})
	checkBytes = 4
)

func (k key) bytes() []byte { return append([]byte(k.sender+"\x00"), k.id[:]...) }

func encodeContent(key []byte, c content) []byte {
	data := binary.BigEndian.AppendUint64(make([]byte, 0, sizeBytes+sumBytes+checkBytes), uint64(c.Size))
	data = append(data, c.SHA256[:]...)
	return binary.BigEndian.AppendUint32(data, contentCheck(key, data))
}

func contentCheck(key, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, data)
}

func decodeContent(key, data []byte) (c content, err error) {
	if len(data) != sizeBytes+sumBytes+checkBytes {
		return c, fmt.Errorf("%w: a value of %d bytes", errCatalog, len(data))
	}
	body := data[:sizeBytes+sumBytes]
	if binary.BigEndian.Uint32(data[len(body):]) != contentCheck(key, body) {
		return c, fmt.Errorf("%w: the checksum of a value is wrong", errCatalog)
	}
	c.Size = int64(binary.BigEndian.Uint64(body))
	copy(c.SHA256[:], body[sizeBytes:])
	return c, nil
}

// openCatalog opens the index. fresh tells that it is new and has to be filled.
func openCatalog(path string) (c *catalog, fresh bool, err error) {
	c = &catalog{}
	err = guard(func() (err error) {
		if c.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType}); err != nil {
			return err
		}
		// A look first: to write needs room, and the disk may be full.
		err = c.db.View(func(tx *bbolt.Tx) error { fresh = tx.Bucket(bucketObjects) == nil; return nil })
		if err != nil || !fresh {
			return err
		}
		return c.db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucketObjects); return err })
	})
	if err != nil {
		if c.db != nil {
			_ = guard(c.db.Close)
		}
		return nil, false, fmt.Errorf("opening the catalog: %w", err)
	}
	return c, fresh, nil
}

// broken returns the damage that was met.
func (c *catalog) broken() error {
	if err := c.damage.Load(); err != nil {
		return *err
	}
	return nil
}

// get returns what the catalog knows of an object. It may be called from anywhere.
func (c *catalog) get(k key) (o content, ok bool) {
	if c.broken() != nil {
		return o, false
	}
	err := guard(func() error {
		return c.db.View(func(tx *bbolt.Tx) (err error) {
			id := k.bytes()
			if data := tx.Bucket(bucketObjects).Get(id); data != nil {
				o, err = decodeContent(id, data)
				ok = err == nil
			}
			return err
		})
	})
	if err != nil {
		c.damage.Store(&err)
	}
	return o, ok && err == nil
}

// update changes the catalog; damage that is met is remembered.
func (c *catalog) update(change func(*bbolt.Bucket) error) error {
	if err := c.broken(); err != nil {
		return err
	}
	err := guard(func() error {
		return c.db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket(bucketObjects)) })
	})
	if errors.Is(err, errCatalog) {
		c.damage.Store(&err)
	}
	if err != nil {
		return fmt.Errorf("writing the catalog: %w", err)
	}
	return nil
}

// put records objects that are good and synced.
func (c *catalog) put(all map[key]content) error {
	rest := slices.Collect(maps.Keys(all))
	slices.SortFunc(rest, func(a, b key) int { return bytes.Compare(a.bytes(), b.bytes()) })
	for len(rest) > 0 {
		n := min(len(rest), catalogBatch)
		err := c.update(func(b *bbolt.Bucket) error {
			count := b.Sequence()
			for _, k := range rest[:n] {
				id := k.bytes()
				if b.Get(id) == nil {
					count++
				}
				if err := b.Put(id, encodeContent(id, all[k])); err != nil {
					return err
				}
			}
			return b.SetSequence(count)
		})
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// remove forgets an object.
func (c *catalog) remove(k key) error { return c.removeAll([]key{k}) }

// removeAll forgets objects.
func (c *catalog) removeAll(keys []key) error {
	return c.update(func(b *bbolt.Bucket) error {
		count := b.Sequence()
		for _, k := range keys {
			id := k.bytes()
			if b.Get(id) == nil {
				continue
			}
			count--
			if err := b.Delete(id); err != nil {
				return err
			}
		}
		return b.SetSequence(count)
	})
}

// close lets go of the index. One that is broken is abandoned.
func (c *catalog) close() error {
	if c.broken() != nil {
		c.abandon()
		return nil
	}
	return guard(c.db.Close)
}

// abandon lets go of an index that is broken. When a page of it could not be read,
// the library's own locks may be held for ever, and whoever closes it waits for them.
func (c *catalog) abandon() { go guard(c.db.Close) }

// salvageCatalog copies an index that was not closed in good order, entry by
// entry, and takes its place. Each entry is checked, their order and number too;
// and whatever the old file says of its free pages, the copy has its own.
func salvageCatalog(path string, d *disk) error {
	tmp := path + newSuffix
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	from, err := openQuietly(path, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return err
	}
	to, err := openQuietly(tmp, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	if err == nil {
		err = guard(func() error { return copyCatalog(to, from) })
		if err == nil {
			err = to.Sync()
		}
		err = errors.Join(err, guard(to.Close))
	}
	err = errors.Join(err, guard(from.Close))
	if err == nil {
		err = d.rename(tmp, path)
	}
	return err
}

func openQuietly(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	err = guard(func() (err error) { db, err = bbolt.Open(path, 0o600, o); return err })
	return db, err
}

func copyCatalog(to, from *bbolt.DB) error {
	return from.View(func(in *bbolt.Tx) error {
		b := in.Bucket(bucketObjects)
		if b == nil {
			return fmt.Errorf("%w: it has no bucket", errCatalog)
		}
		var last []byte
		var count uint64
		cursor := b.Cursor()
		for k, data := cursor.First(); k != nil; {
			err := to.Update(func(out *bbolt.Tx) error {
				into, err := out.CreateBucketIfNotExists(bucketObjects)
				if err != nil {
					return err
				}
				into.FillPercent = 1
				for n := 0; k != nil && n < catalogBatch; k, data = cursor.Next() {
					if _, err := decodeContent(k, data); err != nil {
						return err
					}
					if bytes.Compare(last, k) >= 0 {
						return fmt.Errorf("%w: its keys are out of order", errCatalog)
					}
					last, n, count = k, n+1, count+1
					if err := into.Put(k, data); err != nil {
						return err
					}
				}
				return into.SetSequence(count)
			})
			if err != nil {
				return err
			}
		}
		if count != b.Sequence() {
			return fmt.Errorf("%w: %d entries, there should be %d", errCatalog, count, b.Sequence())
		}
		if count > 0 {
			return nil
		}
		return to.Update(func(out *bbolt.Tx) error { _, err := out.CreateBucketIfNotExists(bucketObjects); return err })
	})
}
