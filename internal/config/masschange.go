package config

// Whether a source is watched for mass changes.
const (
	MassChangeOn  = "on"
	MassChangeOff = "off"
)

// maxShare bounds the limits of a mass change: a share of 100 % is all files, a
// growth of 10000 % a hundredfold.
const maxShare Percent = 10000

func (r *Rule) readMassChange(t *table) {
	if t.values["mass_change"] != nil {
		word := MassChangeOn
		t.choice("mass_change", &word, MassChangeOn, MassChangeOff)
		r.MassChange = &word
	}
	for key, into := range r.shares() {
		if *into = optional[Percent](t, key); *into != nil {
			within(t, key, **into, 1, maxShare)
		}
	}
}

func (r *Rule) shares() map[string]**Percent {
	return map[string]**Percent{
		"max_changed": &r.MaxChanged, "max_gone": &r.MaxGone, "max_encrypted": &r.MaxEncrypted, "max_growth": &r.MaxGrowth,
	}
}
