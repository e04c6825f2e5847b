package expectation

import "testing"

// TestSilentLane: a lane that is silent is told of once, also over a restart after
// which nothing is known of it, until it is back or gone.
func TestSilentLane(t *testing.T) {
	h := newHost(t, Rule{})
	lane := func(silent, known bool) {
		h.facts.Senders = []Sender{{Name: "prod", Heard: h.now, LanesKnown: true, Lanes: []Lane{{Name: "prod lane 1", Known: true}, {"prod lane 2", silent, known}}}}
	}
	lane(false, false)
	h.want("nothing known", h.pass(1))
	lane(true, true)
	h.want("silent", h.pass(1), "began lane-silent prod lane 2")
	h.want("silent still", h.pass(1))
	lane(false, false)
	h.want("nothing known any more", h.pass(1))
	h.facts.Senders = []Sender{{Name: "prod", Heard: h.now}}
	h.want("nothing heard after a restart", h.pass(1))
	h.want("another day", h.pass(day), "began link-silent prod", "again lane-silent prod lane 2")
	lane(false, true)
	h.want("back", h.pass(1), "ended lane-silent prod lane 2", "ended link-silent prod")
	lane(true, true)
	h.want("silent again", h.pass(1), "began lane-silent prod lane 2")
	h.facts.Senders = []Sender{{Name: "prod", Heard: h.now, LanesKnown: true, Lanes: []Lane{}}}
	h.want("the sender has one lane now", h.pass(1), "ended lane-silent prod lane 2")
}
