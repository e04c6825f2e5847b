package config

import (
	"path/filepath"
	"time"
)

// Defaults and limits of what the receiver tells about itself.
const (
	DefaultStatusEvery   = Duration(5 * time.Second)
	MinStatusEvery       = Duration(time.Second)
	MaxStatusEvery       = Duration(time.Hour)
	DefaultSilentAfter   = Duration(15 * time.Minute)
	DefaultNotWholeAfter = Duration(24 * time.Hour)
	DefaultFullWithin    = Duration(14 * 24 * time.Hour)
	// StatusDir is the directory of the status files below the vault, unless the
	// configuration names another.
	StatusDir = ".weir/status"
)

// readStatus reads what is told, where, and when something counts as wrong.
func (c *Receiver) readStatus(t *table) {
	t.str("status", &c.Status)
	t.text("status_every", &c.StatusEvery)
	t.text("silent_after", &c.SilentAfter)
	t.text("not_whole_after", &c.NotWholeAfter)
	t.text("full_within", &c.FullWithin)
	t.path("attestation_key", &c.AttestationKey)
	within(t, "status_every", c.StatusEvery, MinStatusEvery, MaxStatusEvery)
}

// resolveStatus makes the paths absolute, once the vault's is.
func (c *Receiver) resolveStatus(d *document) {
	c.AttestationKey = d.resolve(c.AttestationKey)
	if c.Status = d.resolve(c.Status); c.Status == "" && c.Vault != "" {
		c.Status = filepath.Join(c.Vault, StatusDir)
	}
}
