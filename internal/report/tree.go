package report

import (
	"weir/internal/diskuse"
	"weir/internal/linkquality"
	"weir/internal/status"
	"weir/internal/vault"
)

// Tree returns what the vault itself tells, without a receiver: sources, restore
// points and what is missing, the disk. It writes nothing.
func Tree(cfg Config) (*status.Status, error) {
	r := &Reporter{
		cfg: cfg, listing: vault.NewListing(cfg.Vault), links: linkquality.New(), disk: &diskuse.History{},
		missing: newMissing(cfg.Vault), started: cfg.Now(),
	}
	infos, err := r.listing.List()
	if err != nil {
		return nil, err
	}
	return r.status(r.now(), infos, Facts{}), nil
}
