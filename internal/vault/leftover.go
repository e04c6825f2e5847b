package vault

import "time"

// leftOverTime bounds how long at a time left-overs are looked for and removed: one
// sender may have maxPartial objects, and thousands of snapshots that each may be
// about any of them, and each removal is synced.
const leftOverTime = 50 * time.Millisecond

// dropLeftOvers removes the partial objects of a sender that came for a snapshot
// that is whole without them, as when a file changed while it was read. What that
// leaves undone goes on at each Settle.
func (v *Vault) dropLeftOvers(sender string) {
	var keys []key
	for k := range v.open {
		if _, mapped := v.partial[k]; k.sender == sender && !mapped {
			keys = append(keys, k)
		}
	}
	if v.partials[sender] > 0 {
		for k := range v.partial {
			if k.sender == sender {
				keys = append(keys, k)
			}
		}
	}
	v.leftOvers[sender] = keys
	v.dropSome()
}

// dropSome goes on with that, and reports whether there is more to do.
func (v *Vault) dropSome() bool {
	end := time.Now().Add(leftOverTime)
	for sender, keys := range v.leftOvers {
		for len(keys) > 0 {
			v.dropIfLeft(keys[len(keys)-1])
			if keys = keys[:len(keys)-1]; time.Now().After(end) {
				v.leftOvers[sender] = keys
				return true
			}
		}
		delete(v.leftOvers, sender)
	}
	return false
}

func (v *Vault) dropIfLeft(k key) {
	o, of := v.open[k], v.partial[k]
	switch {
	case o != nil && v.isLeftOver(k, o.of):
		v.drop(o)
	case o == nil && v.isLeftOver(k, of):
		v.dropPartial(k)
	}
}

func (v *Vault) isLeftOver(k key, came string) bool {
	for _, p := range v.pending {
		if p.Sender != k.sender || !p.AbandonedAt.IsZero() && (p.of != came || v.followed(p.snap)) {
			continue
		}
		if _, listed := p.missing[k.id]; !p.manifest || listed || p.of == came {
			return false
		}
	}
	return came != ""
}
