package receiver

import (
	"errors"
	"sync/atomic"

	"weir/protocol"
)

// Why an offer of another key is refused.
var (
	// ErrOldOffer is for an offer whose counter is not above that of the last one.
	ErrOldOffer     = errors.New("its counter is not above the last one: it is a replay, or the sender's state was lost and its clock runs behind")
	errOfferForged  = errors.New("it is not signed as it must be")
	errOfferForeign = errors.New("it is of another sender")
	errOfferRevoked = errors.New("it is signed by a key that is revoked, or offers one")
)

// offers counts the key changes that were refused.
type offers struct {
	forged, replayed, revoked atomic.Uint64
}

func (o *offers) addTo(all map[string]uint64) {
	all["key-change-forged"] = o.forged.Load()
	all["key-change-replayed"] = o.replayed.Load()
	all["key-change-revoked"] = o.revoked.Load()
}

// keyChange takes an offer of another key. It comes in a session that a trusted key
// opened, and is checked as if it did not.
func (d *delivery) keyChange(body []byte) error {
	c, err := protocol.ParseKeyChange(body)
	if err != nil {
		return err
	}
	counts, all := &d.worker.offers, d.worker.roster.Load()
	known, ok := all.trusted[c.Old]
	switch {
	case all.revoked[c.Old] || all.revoked[protocol.NewKeyID(c.New[:])]:
		counts.revoked.Add(1)
		return errOfferRevoked
	case c.Sender != d.sender || known.name != d.sender && ok:
		counts.forged.Add(1)
		return errOfferForeign
	case !ok || !c.Verify(known.key):
		counts.forged.Add(1)
		return errOfferForged
	}
	if _, ok := all.trusted[protocol.NewKeyID(c.New[:])]; ok || d.worker.cfg.Offered == nil {
		return nil // it was accepted, and the sender has not changed over yet
	}
	if err = d.worker.cfg.Offered(c); errors.Is(err, ErrOldOffer) {
		counts.replayed.Add(1)
	}
	return err
}
