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
func (v *Vault) refresh(p *pending, b *builder) (err error) {
	if !p.stale {
		return nil
	}
	p.missing, p.stale = nil, false
	have := func(id ObjectID) (content, bool) { return v.recorded(key{p.Sender, id}) }
	p.missing, p.more, err = b.listMissing(p, v.missingRoom(p.Sender), have)
	v.secondLook(p)
	return err
}

// listMissing returns the objects that the manifest lists and that are not had, as
// many as there is room for.
func (b *builder) listMissing(p *pending, room int, have func(ObjectID) (content, bool)) (missing map[ObjectID]content, more bool, err error) {
	missing = map[ObjectID]content{}
	err = b.each(filepath.Join(b.pending(p.snap), manifestFile), func(e *manifest.Entry) error {
		if !isObject(e) {
			return nil
		}
		id, c := ObjectID(e.Object), content{e.Size, Hash(e.SHA256)}
		if had, ok := have(id); ok && had == c {
			return nil
		}
		if _, ok := missing[id]; !ok && len(missing) >= room {
			more = true
			return nil
		}
		missing[id] = c
		return nil
	})
	return missing, more, err
}

// secondLook takes out of the missing objects what is there by now. One that was not
// recorded before a crash is kept only if some manifest wants it, as this one does.
func (v *Vault) secondLook(p *pending) {
	for id, c := range p.missing {
		if have, ok := v.known(key{p.Sender, id}); ok && have == c {
			delete(p.missing, id)
		}
	}
}

// takeWhatCame does that for a snapshot that was looked at beside. There may be a
// million of them, so only those are gone through that became complete meanwhile.
func (v *Vault) takeWhatCame(p *pending, s *site) {
	switch {
	case v.orphans:
		v.secondLook(p)
		return
	case len(s.came) >= v.cameMost && len(p.missing) > 0:
		p.stale = true // more came than is remembered: it is looked up once more
		return
	}
	for id, c := range s.came {
		p.gain(id, c)
	}
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
