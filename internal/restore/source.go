package restore

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// Tree is the data folder of a published restore point, for Options.Open.
type Tree struct{ root *os.Root }

// OpenTree opens the folder that holds the tree of plain files.
func OpenTree(dir string) (*Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the data of the restore point: %w", err)
	}
	return &Tree{root}, nil
}

// Open returns the file at e.Path. It refuses what is no plain file, and
// symlinks that lead out of the tree.
func (t *Tree) Open(e *manifest.Entry) (*os.File, error) {
	f, err := t.root.OpenFile(e.Path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a FIFO would wait for a writer
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is no plain file: %s", info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close releases the folder.
func (t *Tree) Close() error { return t.root.Close() }
