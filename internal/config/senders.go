package config

import (
	"slices"

	"weir/internal/keys"
)

// Limits of the keys of senders.
const (
	MaxSenderKeys = 8    // trusted ones of one sender
	MaxRevoked    = 4096 // of all senders
)

// Trusted returns the keys of senders that are trusted and not revoked.
func (c *Receiver) Trusted() (all []TrustedSender) {
	for _, s := range c.Senders {
		if !c.isRevoked(s.Key) {
			all = append(all, s)
		}
	}
	return all
}

func (c *Receiver) isRevoked(key string) bool {
	return slices.ContainsFunc(c.Revoked, func(r TrustedSender) bool { return r.Key == key })
}

// SenderNames returns the names of the senders, each once.
func (c *Receiver) SenderNames() (names []string) {
	for _, s := range c.Senders {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

func readTrusted(t *table) TrustedSender {
	s := TrustedSender{}
	t.label("name", &s.Name)
	t.text("quota", &s.Quota)
	s.MaxObjects = t.count("max_objects", MaxMaxObjects)
	readSenderKey(t, &s)
	return s
}

func readRevoked(t *table) TrustedSender {
	s := TrustedSender{}
	t.label("name", &s.Name)
	readSenderKey(t, &s)
	return s
}

// readSenderKey reads the last of the keys of a table.
func readSenderKey(t *table, s *TrustedSender) {
	t.str("key", &s.Key)
	t.end()
	t.need("name", "key")
	if _, ok := t.values["key"].(string); !ok {
		return
	}
	pub, err := keys.ParseSender(s.Key)
	if err != nil {
		t.problem("key", "%v; write the line that `weir-send init` printed", err)
		return
	}
	s.Key = keys.SenderText(pub) // one key, one text: they are compared
}

// checkSenders holds each key to one sender, as the link tells senders apart by
// key, and each sender to one quota of either kind.
func (c *Receiver) checkSenders(t *table) {
	if len(c.Senders) > MaxSenders {
		t.problem("sender", "there are %d, at most %d can be", len(c.Senders), MaxSenders)
	}
	if len(c.Revoked) > MaxRevoked {
		t.problem("revoked", "there are %d, at most %d can be", len(c.Revoked), MaxRevoked)
	}
	owners, quotas, count := map[string]string{}, map[string]int{}, map[string]int{}
	for i, s := range c.Senders {
		element := &table{doc: t.doc, name: "sender", index: i}
		if owner, ok := owners[s.Key]; ok && s.Key != "" {
			element.problem("key", "it is also the key of %q, each sender has keys of its own", owner)
		}
		for key, given := range map[string]bool{"quota": s.Quota != 0, "max_objects": s.MaxObjects != nil} {
			if !given {
				continue
			}
			if quotas[key+" "+s.Name]++; quotas[key+" "+s.Name] > 1 {
				element.problem(key, "%q has one already, write it once for all of its keys", s.Name)
			}
		}
		if !c.isRevoked(s.Key) {
			count[s.Name]++
		}
		if count[s.Name] > MaxSenderKeys {
			element.problem("key", "%q has more than %d, revoke what it uses no longer", s.Name, MaxSenderKeys)
		}
		owners[s.Key] = s.Name
	}
}
