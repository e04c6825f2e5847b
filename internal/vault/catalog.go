package vault

import (
	"encoding/binary"
	"fmt"
	"os"
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
type catalog struct{ db *bbolt.DB }

// openCatalog opens the index. One that is damaged is put aside: fresh tells
// that the caller has to fill it.
func openCatalog(path string) (c *catalog, fresh bool, err error) {
	if _, err := os.Stat(path); err != nil {
		fresh = true
	}
	open := func() (*bbolt.DB, error) {
		return bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	}
	db, err := open()
	if err != nil && !fresh {
		fresh = true
		if rerr := os.Rename(path, path+".damaged"); rerr != nil {
			return nil, false, fmt.Errorf("opening the catalog: %w", err)
		}
		db, err = open()
	}
	if err != nil {
		return nil, false, fmt.Errorf("opening the catalog: %w", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketObjects)
		return err
	})
	if err != nil {
		db.Close()
		return nil, false, fmt.Errorf("opening the catalog: %w", err)
	}
	return &catalog{db: db}, fresh, nil
}

func (k key) bytes() []byte { return append([]byte(k.sender+"\x00"), k.id[:]...) }

// get returns what the catalog knows of an object.
func (c *catalog) get(k key) (o content, ok bool) {
	_ = c.db.View(func(tx *bbolt.Tx) error {
		data := tx.Bucket(bucketObjects).Get(k.bytes())
		if len(data) == 8+len(o.SHA256) {
			o.Size, ok = int64(binary.BigEndian.Uint64(data)), true
			copy(o.SHA256[:], data[8:])
		}
		return nil
	})
	return o, ok
}

// put records objects that are good and synced.
func (c *catalog) put(all map[key]content) error {
	rest := make([]key, 0, len(all))
	for k := range all {
		rest = append(rest, k)
	}
	for len(rest) > 0 {
		n := min(len(rest), catalogBatch)
		err := c.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketObjects)
			for _, k := range rest[:n] {
				o := all[k]
				data := binary.BigEndian.AppendUint64(nil, uint64(o.Size))
				if err := b.Put(k.bytes(), append(data, o.SHA256[:]...)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("writing the catalog: %w", err)
		}
		rest = rest[n:]
	}
	return nil
}

// remove forgets an object.
func (c *catalog) remove(k key) error {
	return c.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketObjects).Delete(k.bytes()) })
}

func (c *catalog) close() error { return c.db.Close() }
