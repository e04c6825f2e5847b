package imports

import "maps"

// What tells how things stand, and what that links.
var (
	statusLinks = []string{
		"protocol", "internal/binomial", "internal/count", "internal/event", "internal/expectation", "internal/geometry", "internal/linkquality", "internal/qr", "internal/textfile",
	}
	reportLinks = append([]string{
		"internal/attestation", "internal/diskuse", "internal/manifest", "internal/masschange", "internal/names", "internal/repaircode",
		"internal/statefile", "internal/status", "internal/vault",
	}, statusLinks...)
)

func init() {
	maps.Copy(allowed, map[string][]string{
		"internal/diskuse":  {},
		"internal/nic":      {},
		"internal/report":   reportLinks,
		"internal/sending":  {"internal/count", "internal/textfile"},
		"internal/status":   statusLinks,
		"internal/textfile": {},
	})
}
