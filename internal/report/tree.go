package report

import (
	"weir/internal/diskuse"
	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/internal/status"
	"weir/internal/vault"
)

// Tree returns what the vault itself tells, without a receiver: sources, restore
// points and what is missing, the disk; as alarms what the tree alone shows. It
// writes nothing.
func Tree(cfg Config) (*status.Status, error) {
	r := &Reporter{
		cfg: cfg, listing: vault.NewListing(cfg.Vault), links: linkquality.New(), disk: &diskuse.History{},
		missing: newMissing(cfg.Vault), started: cfg.Now(),
	}
	infos, err := r.listing.List()
	if err != nil {
		return nil, err
	}
	s := r.status(r.now(), infos, Facts{})
	var w expectation.Watch
	w.Look(expectation.Facts{Now: s.Written, Sources: r.expected(infos)}, expectation.Limits{})
	s.Alarms = w.Alarms()
	return s, nil
}
