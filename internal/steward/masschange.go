package steward

import (
	"weir/internal/config"
	"weir/internal/masschange"
)

// massChange returns what the configuration says of a source.
func massChange(c config.Receiver) func(sender, source string) masschange.Limits {
	return func(sender, source string) masschange.Limits {
		r, l := c.RuleFor(sender, source), masschange.Defaults()
		l.Off = r.MassChange != nil && *r.MassChange == config.MassChangeOff
		for into, share := range map[*float64]*config.Percent{
			&l.Changed: r.MaxChanged, &l.Gone: r.MaxGone, &l.Encrypted: r.MaxEncrypted, &l.Size: r.MaxGrowth,
		} {
			if share != nil {
				*into = float64(*share) / 100
			}
		}
		return l
	}
}
