package masschange

import "fmt"

// Limits are from what on a change is a mass change, as shares: 0.5 is half.
type Limits struct {
	Off       bool
	Changed   float64 // of the files before, with another content
	Gone      float64 // of the files before
	Encrypted float64 // of the files before, changed or replaced by what looks random
	Size      float64 // growth, as a share of the size before: 3 is four times the size, or a quarter
}

// Defaults are the limits of a source of which nothing else is said.
func Defaults() Limits {
	return Limits{Changed: 0.5, Gone: 0.5, Encrypted: 0.1, Size: 3}
}

// What is judged at all.
const (
	// MinFiles is how many files must have changed or gone.
	MinFiles = 20
	// minBytes is by how much the size must have changed.
	minBytes = 64 << 20
	// beyond is by what factor a measure must exceed the most that was usual.
	beyond = 1.5
	// minSampled is how many samples are enough.
	minSampled = 10
	// MaxHistory bounds the measures that are kept of a source.
	MaxHistory = 90
)

// Judge returns why a measure is suspicious, nothing if it is not. The history is
// of the same source; suspicious measures in it do not count as usual.
func Judge(m Measure, history []Measure, l Limits) (reasons []string) {
	if l.Off {
		return nil
	}
	if m.Blind {
		return []string{"the manifest of the restore point before is damaged, so that nobody can say what has changed"}
	}
	if m.Before == 0 {
		return nil
	}
	u := usually(history)
	if c := m.share(m.Changed); m.Changed >= MinFiles && c >= l.Changed && c > beyond*u.changed {
		reasons = append(reasons, fmt.Sprintf("%d of %d files have another content", m.Changed, m.Before))
	}
	if g := m.share(m.Gone); m.Gone >= MinFiles && g >= l.Gone && g > beyond*u.gone {
		reasons = append(reasons, fmt.Sprintf("%d of %d files are gone", m.Gone, m.Before))
	}
	if e := m.overwritten(); m.Changed+m.Gone >= MinFiles && e >= l.Encrypted && e > beyond*u.overwritten {
		reasons = append(reasons, fmt.Sprintf("%d of %d files are changed or gone, and %d of %d that came look encrypted", m.Changed+m.Gone, m.Before, m.Dense, m.Sampled))
	}
	if r := m.ratio(); abs(m.Bytes-m.Was) >= minBytes && r >= 1+l.Size && r > beyond*u.ratio {
		reasons = append(reasons, fmt.Sprintf("its size went from %d to %d bytes", m.Was, m.Bytes))
	}
	return reasons
}

// overwritten is the share of the files before whose content was changed, or
// replaced under another name, by what looks random.
func (m *Measure) overwritten() float64 {
	if m.Sampled < minSampled {
		return 0
	}
	return m.share(m.Changed+min(m.Gone, m.New)) * float64(m.Dense) / float64(m.Sampled)
}

// usual is the most that a source has shown.
type usual struct{ changed, gone, overwritten, ratio float64 }

func usually(history []Measure) (u usual) {
	for i := range history {
		m := &history[i]
		if m.Before > 0 && !m.Suspicious {
			u.overwritten = max(u.overwritten, m.overwritten())
			u.changed, u.gone = max(u.changed, m.share(m.Changed)), max(u.gone, m.share(m.Gone))
			u.ratio = max(u.ratio, m.ratio())
		}
	}
	return u
}

func (m *Measure) share(n int64) float64 { return float64(n) / float64(max(m.Before, 1)) }

// ratio is by what factor the size went up or down.
func (m *Measure) ratio() float64 {
	a, b := float64(max(m.Was, 1)), float64(max(m.Bytes, 1))
	return max(a/b, b/a)
}

func abs(n int64) int64 { return max(n, -n) }

// Remember adds a measure to a history, in place of one of the same name.
func Remember(history []Measure, m Measure) []Measure {
	for i := range history {
		if history[i].Name == m.Name {
			history[i] = m
			return history
		}
	}
	history = append(history, m)
	return history[max(0, len(history)-MaxHistory):]
}
