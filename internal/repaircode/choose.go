package repaircode

import (
	"cmp"
	"slices"
)

// Wanted is a snapshot that is not whole.
type Wanted struct {
	Source string
	Number uint64
	Lack   *Lack // nil where the manifest has not come: everything is wanted
	// Manifest asks for the manifest alone where it has not come: what lacks
	// beside it is known then.
	Manifest bool
}

const (
	// Typed is the longest text that a person is asked to type.
	Typed = 400
	// A symbol of text takes a person as long as these bytes take a link of some
	// ten megabits a second.
	symbolWorth = 1 << 20
	mostWorth   = 1 << 40
	fileWorth   = Unit // for a code that nobody types
)

// Choose returns a code that names all that is wanted, and perhaps more, where
// that makes it short enough to be typed, and the source of each of its parts.
// With exact it is as long as it gets. It returns false where not even the
// coarsest code for all is short enough.
func Choose(all []Wanted, exact bool) (c Code, sources []string, ok bool) {
	slices.SortFunc(all, func(a, b Wanted) int {
		return cmp.Or(cmp.Compare(SourceHash(a.Source), SourceHash(b.Source)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Number, b.Number))
	})
	if exact {
		c, sources = codeFor(all, fileWorth)
		return c, sources, len(c.Parts) <= MaxParts
	}
	for worth := int64(symbolWorth); worth <= mostWorth; worth *= 4 {
		if c, sources = codeFor(all, worth); c.length() <= Typed && len(c.Parts) <= MaxParts {
			return c, sources, true
		}
	}
	c, sources = bridged(all)
	return c, sources, c.length() <= Typed && len(c.Parts) <= MaxParts
}

func (c Code) length() int {
	var w bitWriter
	c.write(&w)
	return textLength(len(w.bits))
}

func codeFor(all []Wanted, worth int64) (c Code, sources []string) {
	for _, w := range all {
		p := w.part(worth)
		if n := len(c.Parts) - 1; n >= 0 && sources[n] == w.Source && p.Kind == Everything && follows(&c.Parts[n], &p) {
			c.Parts[n].Count++
			continue
		}
		c.Parts = append(c.Parts, p)
		sources = append(sources, w.Source)
	}
	return c, sources
}

func (w *Wanted) part(worth int64) Part {
	p := Part{Kind: Manifest}
	switch {
	case w.Lack != nil && w.Lack.Missing > 0:
		p = w.Lack.part(worth)
	case w.Lack == nil && !w.Manifest:
		p = Part{Kind: Everything, Count: 1}
	}
	p.Source, p.Number = SourceHash(w.Source), w.Number
	return p
}

// follows reports whether p, of the same source, is about the snapshot right
// behind a run.
func follows(run, p *Part) bool {
	return run.Kind == Everything && run.reach() == p.Number && run.Count < MaxCount
}

// bridged asks for everything from the first to the last snapshot of each source
// that is not whole.
func bridged(all []Wanted) (c Code, sources []string) {
	for _, w := range all {
		if n := len(c.Parts) - 1; n >= 0 && sources[n] == w.Source && w.Number-c.Parts[n].Number < MaxCount {
			c.Parts[n].Count = w.Number - c.Parts[n].Number + 1
			continue
		}
		sources = append(sources, w.Source)
		c.Parts = append(c.Parts, Part{Source: SourceHash(w.Source), Number: w.Number, Kind: Everything, Count: 1})
	}
	return c, sources
}
