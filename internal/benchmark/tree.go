package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// filesPerDir is how many files a directory of the tree holds.
	filesPerDir = 1000
	// minFileSize lets each file differ from the others, in bytes.
	minFileSize = 8
	// diskSize is how large the file system of a vault may grow. The file that
	// holds it has holes.
	diskSize = "16G"
)

// ofTree reports whether a tool sends a tree of small files, not one large file.
func ofTree(tool string) bool { return tool == "files" || tool == "again" }

// root is where the files lie.
func (b *bench) root() string { return b.place.path("source", "tree") }

// makeTree makes the files.
func (b *bench) makeTree() error {
	content := make([]byte, b.opt.fileSize)
	for i := range b.opt.files {
		dir := filepath.Join(b.root(), fmt.Sprintf("d%04d", i/filesPerDir))
		if i%filesPerDir == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		binary.LittleEndian.PutUint64(content, uint64(i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%03d", i%filesPerDir)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// files measures a push of many small files until they are published, on an ext4
// that is new for each run: ext4 passes over each inode that was removed within
// the last minutes, so that a vault on one that was just emptied would be slower
// by a multiple, and by another one each time.
func (b *bench) files(ctx context.Context, s setup) (o outcome, err error) {
	d, err := newDisk(ctx)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	p, err := b.newPair(ctx, d.dir, s)
	if err != nil {
		return o, err
	}
	o, err = p.push(ctx, s, b.root())
	o.bytes = int64(b.opt.files) * int64(b.opt.fileSize)
	return o, err
}

// again measures the sender at a second snapshot in which nothing has changed.
// There is no receiver: the sender could not tell. It ends when it has sent.
func (b *bench) again(ctx context.Context, s setup) (o outcome, err error) {
	if b.sentOnce == nil {
		p, err := b.newPair(ctx, b.place.path("source", "again"), s)
		if err != nil {
			return o, err
		}
		if _, err := p.changed(ctx); err != nil {
			return o, fmt.Errorf("the first snapshot: %w", err)
		}
		b.sentOnce = p
	}
	begun := time.Now()
	o.send, err = b.sentOnce.changed(ctx)
	o.took, o.bytes = time.Since(begun), int64(b.opt.files)*int64(b.opt.fileSize)
	return o, err
}

// changed sends what has changed of a tree.
func (p *pair) changed(ctx context.Context) (usage, error) {
	send, err := start(ctx, p.hosts.send, p.cpu(0), filepath.Join(p.bin, "weir-send"),
		"push", "--config", p.path("sender.toml"), "--changed", "--source", "etc", p.root())
	if err != nil {
		return usage{}, err
	}
	return send.wait()
}

// fileDisk is an ext4 in a file.
type fileDisk struct{ dir, image string }

// newDisk makes and mounts one; what ext4 would set up in the background is there
// from the start.
func newDisk(ctx context.Context) (*fileDisk, error) {
	f, err := os.CreateTemp("", "weir-bench-ext4-")
	if err != nil {
		return nil, err
	}
	d := &fileDisk{dir: f.Name() + ".d", image: f.Name()}
	err = errors.Join(f.Close(), os.Mkdir(d.dir, 0o755))
	for _, line := range []string{
		"truncate -s " + diskSize + " " + d.image,
		"mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 " + d.image,
		"mount -o loop " + d.image + " " + d.dir,
	} {
		if err == nil {
			err = sh(ctx, line)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

func (d *fileDisk) close() error {
	return errors.Join(sh(context.Background(), "umount "+d.dir), d.remove())
}

func (d *fileDisk) remove() error { return errors.Join(os.Remove(d.dir), os.Remove(d.image)) }
