// Package steward turns what the receiver's configuration says of the vault into
// the vault's own words. The service and the operator's commands open a vault by
// the same rules.
package steward

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/config"
	"weir/internal/keys"
	"weir/internal/vault"
)

// Options returns how a vault is opened by the configuration. Log, Now and
// OnPublish are the caller's.
func Options(c config.Receiver) (vault.Options, error) {
	senders, revoked, err := Senders(c)
	if err != nil {
		return vault.Options{}, err
	}
	return vault.Options{
		MinFree: minFree(c), MaxManifest: int64(c.MaxManifest), Signers: senders, Revoked: revoked,
		Retention:  func(sender, source string) vault.Retention { return retention(c.RuleFor(sender, source)) },
		PruneEvery: time.Duration(c.PruneEvery), ClockHold: clockHold(c), Quota: quotas(c),
		MassChange: massChange(c),
		ScrubEvery: time.Duration(c.ScrubEvery), ScrubRate: int64(c.ScrubRate),
	}, nil
}

// Senders returns the keys of the senders by name: those that are trusted, and
// those that are revoked.
func Senders(c config.Receiver) (trusted, revoked map[string][]ed25519.PublicKey, err error) {
	if trusted, err = keysByName(c.Trusted()); err == nil {
		revoked, err = keysByName(c.Revoked)
	}
	return trusted, revoked, err
}

func keysByName(list []config.TrustedSender) (map[string][]ed25519.PublicKey, error) {
	all := map[string][]ed25519.PublicKey{}
	for _, s := range list {
		pub, err := keys.ParseSender(s.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the key of the sender %s: %w", s.Name, err)
		}
		all[s.Name] = append(all[s.Name], pub)
	}
	return all, nil
}

// clockHold is what the vault takes for the configuration's: there 0 is none.
func clockHold(c config.Receiver) time.Duration {
	if c.ClockHold <= 0 {
		return -1
	}
	return time.Duration(c.ClockHold)
}

// minFree returns the reserve in bytes; it may be a share of the disk.
func minFree(c config.Receiver) int64 {
	var st unix.Statfs_t
	if unix.Statfs(c.Vault, &st) != nil {
		return c.MinFree.Of(0)
	}
	return c.MinFree.Of(int64(st.Blocks) * st.Bsize)
}

func retention(r config.Rule) vault.Retention {
	return vault.Retention{
		Last: of(r.KeepLast), Hourly: of(r.KeepHourly), Daily: of(r.KeepDaily), Weekly: of(r.KeepWeekly),
		Monthly: of(r.KeepMonthly), Yearly: of(r.KeepYearly),
		MinAge: time.Duration(of(r.MinAge)), Lock: time.Duration(of(r.Lock)),
	}
}

// quotas returns the bounds of all sources, or nil where there are none.
func quotas(c config.Receiver) func(sender, source string) vault.Quota {
	bySender, any := map[string]vault.Fill{}, false
	for _, s := range c.Senders {
		q := bySender[s.Name]
		q = vault.Fill{Bytes: max(q.Bytes, int64(s.Quota)), Objects: max(q.Objects, int64(of(s.MaxObjects)))}
		bySender[s.Name], any = q, any || q != (vault.Fill{})
	}
	for _, r := range c.Rules {
		any = any || r.Quota != nil || r.MaxObjects != nil
	}
	if !any {
		return nil
	}
	type source struct{ sender, source string }
	known := map[source]vault.Quota{} // asked for each range that comes
	return func(sender, name string) vault.Quota {
		k := source{sender, name}
		q, ok := known[k]
		if !ok {
			r := c.RuleFor(sender, name)
			q = vault.Quota{Sender: bySender[sender], Source: vault.Fill{Bytes: int64(of(r.Quota)), Objects: int64(of(r.MaxObjects))}}
			known[k] = q
		}
		return q
	}
}

// of returns the value, or zero where none is given.
func of[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
