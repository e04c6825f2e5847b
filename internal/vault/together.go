package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// syncsOfMap is how many files and directories saveMap syncs.
const syncsOfMap = 3

// saveMaps saves the maps of all objects of which something was written since. Many
// share their syncs: where a link loses half of a million small files, each of them
// is a partial object.
func (v *Vault) saveMaps(objects []*object) error {
	var dirty []*object
	for _, o := range objects {
		if o.dirty > 0 {
			dirty = append(dirty, o)
		}
	}
	if syncsOfMap*len(dirty) > v.syncEach {
		return v.saveTogether(dirty)
	}
	var errs []error
	for _, o := range dirty {
		errs = append(errs, v.saveMap(o))
	}
	return errors.Join(errs...)
}

// saveTogether does what saveMap does, in the same order: the data of all, then the
// maps of all under other names, then their names. What a failed sync leaves in doubt
// counts as missing.
func (v *Vault) saveTogether(objects []*object) error {
	objects, failed := v.syncPartials(objects)
	v.disk.point("object-synced")
	errs := []error{failed}
	wrote := objects[:0]
	for _, o := range objects {
		err := v.writeNew(o)
		if errs = append(errs, err); err == nil {
			wrote = append(wrote, o)
		}
	}
	if err := v.syncFileSystem(); err != nil {
		for _, o := range wrote {
			os.Remove(v.incoming(o.key) + mapSuffix + newSuffix)
		}
		return errors.Join(append(errs, err)...)
	}
	v.disk.point("maps-written")
	return errors.Join(append(errs, v.nameMaps(wrote))...)
}

// syncPartials syncs the files of partial objects, and returns those of which all is
// on the disk. An error that was told elsewhere before is told here too: each file
// is asked for its own.
func (v *Vault) syncPartials(objects []*object) (synced []*object, err error) {
	var errs []error
	good := map[*object]bool{}
	for _, o := range objects {
		err := o.lengthen()
		errs = append(errs, err)
		good[o] = err == nil
	}
	err = v.syncFileSystem()
	for _, o := range objects {
		werr := v.disk.wrote(o.file)
		if err == nil && werr == nil && good[o] {
			synced = append(synced, o)
			continue
		}
		errs = append(errs, werr)
		v.revert(o)
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return synced, fmt.Errorf("syncing partial objects: %w", err)
	}
	return synced, nil
}

// writeNew writes the map of an object beside the one that is there.
func (v *Vault) writeNew(o *object) error {
	data, err := o.mapped()
	if err != nil {
		return err
	}
	v.notePartial(o.key, o.of)
	name := v.incoming(o.key) + mapSuffix + newSuffix
	if err := v.disk.writeAnew(name, data, 0o600, unsynced); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// nameMaps gives maps that are on the disk their names, and makes them last.
func (v *Vault) nameMaps(objects []*object) error {
	var dirs []string
	var errs []error
	named := objects[:0]
	for _, o := range objects {
		path := v.incoming(o.key) + mapSuffix
		if err := v.disk.rename(path+newSuffix, path); err != nil {
			errs = append(errs, err)
			continue
		}
		named = append(named, o)
		if dir := filepath.Dir(path); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if err := v.syncDirs(dirs...); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, o := range named {
		o.safe, o.dirty, o.saved = slices.Clone(o.held), 0, v.opt.Now()
	}
	return errors.Join(errs...)
}
