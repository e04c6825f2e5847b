package report

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/expectation"
	"weir/internal/vault"
)

// expected puts together what is judged of the sources.
func (r *Reporter) expected(infos []vault.Info) (all []expectation.Source) {
	for _, g := range r.groups(infos) {
		src := expectation.Source{Sender: g.Sender, Name: g.Source, Rule: r.cfg.Rule(g.Sender, g.Source), Doubts: g.doubts()}
		if g.newest != nil {
			src.Newest = &expectation.Point{Ref: g.newest.Snapshot().Ref(), At: held(g.newest), Bytes: g.newest.Bytes}
		}
		for _, p := range g.partial {
			src.NotWhole = append(src.NotWhole, expectation.Point{Ref: p.Snapshot().Ref(), At: p.Received})
		}
		all = append(all, src)
	}
	return all
}

// doubts tells of every suspicious restore point until it is accepted, as it holds
// up retention, and of a revoked key only where the newest is signed with it: those
// before it are what they were.
func (g *group) doubts() (all []expectation.Doubt) {
	for _, i := range g.whole {
		ref := i.Snapshot().Ref()
		if len(i.Suspicious) > 0 {
			all = append(all, expectation.Doubt{Ref: ref, Why: strings.Join(i.Suspicious, ", "),
				Do: fmt.Sprintf("look at it, and if it is good: weir-vault accept %s; until then nothing of the source is removed", ref)})
		}
		if i == g.newest && !i.Revoked.IsZero() {
			all = append(all, expectation.Doubt{Ref: ref, Why: "signed with a key that was revoked on " + i.Revoked.UTC().Format(time.DateOnly),
				Do: "look at it before it is restored; a push with a key that is trusted ends this"})
		}
	}
	return all
}
