package receiver

import (
	"crypto/ed25519"
	"crypto/hpke"
	"slices"

	"weir/protocol"
)

// Roster says whose sessions are taken, and which of the receiver's keys open them.
// One that was given to a Receiver is not changed any more.
type Roster struct {
	Keys    []hpke.PrivateKey              // any of them opens an announce
	Senders map[string][]ed25519.PublicKey // the trusted senders by name, with all of their keys
	// Revoked are keys that are not trusted any more, whatever Senders says.
	Revoked []ed25519.PublicKey
}

// roster is a Roster by key id.
type roster struct {
	keys    []hpke.PrivateKey
	trusted map[protocol.KeyID]trusted
	revoked map[protocol.KeyID]bool
}

type trusted struct {
	name string
	key  ed25519.PublicKey
}

func newRoster(r Roster) *roster {
	out := &roster{keys: slices.Clone(r.Keys), trusted: map[protocol.KeyID]trusted{}, revoked: map[protocol.KeyID]bool{}}
	for _, key := range r.Revoked {
		out.revoked[protocol.NewKeyID(key)] = true
	}
	for name, all := range r.Senders {
		for _, key := range all {
			if id := protocol.NewKeyID(key); !out.revoked[id] {
				out.trusted[id] = trusted{name: name, key: key}
			}
		}
	}
	return out
}

// Change replaces the roster. It may be called from anywhere. What is delivered to
// the Sink from then on is by the new one; sessions that it does not allow end
// at the next Tick.
func (r *Receiver) Change(next Roster) { r.roster.Store(newRoster(next)) }

// takeRoster lets the thread that receives go by the newest roster.
func (r *Receiver) takeRoster() {
	next := r.roster.Load()
	if next == r.present {
		return
	}
	r.present = next
	r.enlist()
	// What was refused before may be good now, and the other way round.
	r.refused = refusedRing{}
	for _, s := range slices.Clone(r.sessions) {
		if r.signers[s.signer.id] != s.signer || !s.opens(next.keys) {
			r.end(s)
		}
	}
	r.persist(true)
}

// enlist makes the signers what the roster says. Those that stay keep what is
// remembered of them; one that comes back goes on with its own counter.
func (r *Receiver) enlist() {
	for id := range r.signers {
		if t, ok := r.present.trusted[id]; !ok || t.name != r.signers[id].name {
			r.forget(r.signers[id])
		}
	}
	for id, t := range r.present.trusted {
		if r.signers[id] != nil {
			continue
		}
		snd := r.senders[t.name]
		if snd == nil {
			snd = &sender{name: t.name}
			r.senders[t.name] = snd
		}
		s := &signer{sender: snd, id: id, key: t.key}
		if old := r.remembered[id.String()]; old != nil {
			s.counter = old.Counter
		}
		r.signers[id] = s
	}
}

// forget takes a key from those that are trusted, and keeps its counter.
func (r *Receiver) forget(s *signer) {
	if r.remembered == nil {
		r.remembered = map[string]*savedSender{}
	}
	r.remembered[s.id.String()] = &savedSender{Name: s.name, Counter: s.counter}
	delete(r.signers, s.id)
}

// opens reports whether one of the keys is that to which the session is sealed.
func (s *session) opens(keys []hpke.PrivateKey) bool {
	return slices.ContainsFunc(keys, func(k hpke.PrivateKey) bool {
		return string(k.PublicKey().Bytes()) == string(s.sealedTo.PublicKey().Bytes())
	})
}
