package vault

import (
	"path/filepath"

	"weir/internal/manifest"
)

const (
	// missingMost bounds the missing objects that are remembered of all snapshots
	// of one sender: about 100 MiB. Of further ones it is only known that there
	// are some.
	missingMost = 1 << 20
	// missingShare is which part of them must be free to make another look at a
	// manifest worth its time.
	missingShare = 16
)

// refresh makes the set of missing objects anew from the manifest.
func (v *Vault) refresh(p *pending) error {
	if !p.stale {
		return nil
	}
	p.missing, p.more = nil, false
	room := v.missingRoom(p.Sender)
	p.missing = map[ObjectID]content{}
	p.stale = false
	path := filepath.Join(v.layout.pending(p.snap), manifestFile)
	err := eachEntry(path, func(e *manifest.Entry) error {
		if !isObject(e) {
			return nil
		}
		id, c := ObjectID(e.Object), content{e.Size, Hash(e.SHA256)}
		if have, ok := v.recorded(key{p.Sender, id}); ok && have == c {
			return nil
		}
		if _, ok := p.missing[id]; !ok && len(p.missing) >= room {
			p.more = true
			return nil
		}
		p.missing[id] = c
		return nil
	})
	// A second look: an object that was not recorded before a crash is kept only
	// if some manifest wants it.
	for id, c := range p.missing {
		if have, ok := v.known(key{p.Sender, id}); ok && have == c {
			delete(p.missing, id)
		}
	}
	return err
}

// missingRoom returns how many missing objects can still be remembered.
func (v *Vault) missingRoom(sender string) int {
	room := v.missingMost
	for _, p := range v.pending {
		if p.Sender == sender {
			room -= len(p.missing)
		}
	}
	return max(room, 0)
}

// worthALook reports whether a snapshot of which more is missing than could be
// remembered should be looked at again, and lets that happen.
func (v *Vault) worthALook(p *pending) bool {
	if len(p.missing) > 0 || v.missingRoom(p.Sender) < v.missingMost/missingShare {
		return false
	}
	p.stale = true
	return true
}
