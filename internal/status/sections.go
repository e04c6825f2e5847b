package status

import (
	"fmt"

	g "maragu.dev/gomponents"
)

func section(title string, children ...g.Node) g.Node {
	return g.El("section", append([]g.Node{g.El("h2", g.Text(title))}, children...)...)
}

func none(words string) g.Node { return el("p", "none", g.Text(words)) }

func (v *view) sources() g.Node {
	if len(v.Sources) == 0 {
		return section("Sources", none("No source is known yet."))
	}
	key := func(class, words string) g.Node {
		return g.Group{el("span", "key "+class), g.Text(words + " ")}
	}
	cards := v.Sources[:min(len(v.Sources), cardsShown)]
	return section("Sources", el("div", "cards", each(cards, v.source)),
		el("p", "legend", key("whole", "whole"), key("partial", "not whole"), key("empty", "none"), key("today", "today")),
		sourceRows(v.Sources[len(cards):]))
}

// sourceRows lists the sources for which there are no cards.
func sourceRows(all []sourceView) g.Node {
	if len(all) == 0 {
		return nil
	}
	rows := all[:min(len(all), rowsShown)]
	return g.Group{
		g.El("table", g.El("thead", g.El("tr", cell("th", "", "source"), cell("th", "num", "age"), cell("th", "num", "expected"), cell("th", "num", "whole"), cell("th", "num", "not whole"))),
			g.El("tbody", each(rows, func(s *sourceView) g.Node {
				age := or(s.Age, "none")
				return g.El("tr", cell("td", "name", s.Name), cell("td", "num "+s.barClass(), age), cell("td", "num", or(s.Expect, "–")),
					cell("td", "num", comma(uint64(s.Whole))), cell("td", "num", comma(uint64(s.Partial))))
			}))),
		more(len(all)-len(rows), "sources"),
	}
}

// What a section shows at most, the worst first: a page is for people, and the
// names on it come over the link.
const (
	cardsShown  = 24
	rowsShown   = 500
	alarmsShown = 20
	movingShown = 20
	linksShown  = 16
)

// more says how many are not shown.
func more(n int, what string) g.Node {
	return g.If(n > 0, none(fmt.Sprintf("%s more %s: weir-vault status shows all.", comma(uint64(max(n, 0))), what)))
}

func cell(kind, class, words string) g.Node { return el(kind, class, g.Text(words)) }

func (v *view) source(s *sourceView) g.Node {
	age := g.Group{g.El("b", g.Text("no")), g.Text(" whole restore point")}
	if s.Newest != "" {
		age = g.Group{g.El("b", g.Text(s.Age)), g.Text(" old")}
	}
	whole := g.Group{g.Textf("%d whole", s.Whole)}
	if s.Partial > 0 {
		whole = append(whole, g.Text(", "), g.El("em", g.Textf("%d not whole", s.Partial)))
	}
	if s.Abandoned > 0 {
		whole = append(whole, g.Textf(", %d abandoned", s.Abandoned))
	}
	return el("article", "card "+s.Class+map[bool]string{true: " late"}[s.Overdue],
		g.El("h3", g.Text(s.Name)),
		el("p", "age", age, g.If(s.Expect != "", g.Group{g.Text(" "), el("span", "expect", g.Text("expected every "+s.Expect))})),
		g.If(s.Bar > 0, meter("meter", "age against expectation", rect(s.barClass(), 0, 0, s.Bar, 4))),
		g.El("dl",
			g.If(s.Newest != "", g.Group{term("newest", el("span", "mono", g.Text(s.Newest))), term("holds", g.Text(s.Holds))}),
			term("restore points", whole)),
		each(s.Doubts, func(words *string) g.Node { return el("p", "doubt", g.Text(*words)) }),
		svg("calendar", "calendar of restore points, twelve weeks", fmt.Sprintf("0 0 %d 72", v.CalendarWidth),
			each(s.Calendar, func(d *dayView) g.Node {
				return rect(d.Class, float64(d.X), float64(d.Y), 8, 8, g.Attr("rx", "1.5"), g.El("title", g.Text(d.Title)))
			}), texts(v.Weekdays)))
}

func meter(class, name string, children ...g.Node) g.Node {
	return svg(class, name, "0 0 100 4", append([]g.Node{g.Attr("preserveAspectRatio", "none"), rect("track", 0, 0, 100, 4)}, children...)...)
}

func texts(all []textView) g.Node {
	return each(all, func(t *textView) g.Node { return el("text", t.Class, num("x", t.X), num("y", t.Y), g.Text(t.Text)) })
}

func (v *view) moving() g.Node {
	if len(v.Moving) == 0 {
		return nil
	}
	shown := v.Moving[:min(len(v.Moving), movingShown)]
	return section("Arriving now", g.El("table",
		g.El("thead", g.El("tr", cell("th", "", "snapshot"), cell("th", "num", "received"), cell("th", "num", "rate"), cell("th", "num", "since"))),
		g.El("tbody", each(shown, func(m *movingView) g.Node {
			return g.El("tr", cell("td", "mono", m.Snapshot), cell("td", "num", m.Bytes), cell("td", "num", m.Rate), cell("td", "num", m.For))
		}))), more(len(v.Moving)-len(shown), "snapshots"))
}

func (v *view) missing() g.Node {
	if len(v.Missing) == 0 {
		return nil
	}
	return section("Not whole", each(v.Missing, missingCard), g.If(v.MoreMissing != "", none(v.MoreMissing)))
}

func missingCard(m *missingView) g.Node {
	files := each(m.First, func(f *fileView) g.Node {
		return g.El("li", el("span", "mono", g.Text(f.Path)), g.Text(" "), el("span", "num", g.Text(f.Bytes)))
	})
	return el("article", "card missing",
		el("h3", "mono", g.Text(m.Snapshot)),
		g.El("p", g.Text(m.Lacks), g.Text(" "), el("span", "since", g.Text("since "+m.Since))),
		g.If(len(m.First) > 0, el("ul", "files", files, g.If(m.More != "", g.El("li", g.Text(m.More))))),
		g.If(m.Code != "", el("div", "code", m.picture(),
			g.El("div", g.El("p", g.Text("Type at the sender, or carry the picture:")), el("p", "mono code-text", g.Text("weir-send resend "+m.Code))))))
}

// picture is the code as a QR code: black on white in any colours of the page.
func (m *missingView) picture() g.Node {
	return g.If(m.QR != "", el("div", "qr", g.Raw(m.QR)))
}

func (v *view) host() g.Node {
	paragraph := func(words string) g.Node { return g.El("p", g.Text(words)) }
	disk := meter("meter disk", "disk use", rect("used", 0, 0, v.DiskUsed, 4), rect("reserve", v.DiskReserveAt, 0, v.DiskReserve, 4))
	return el("section", "two",
		g.El("div", g.El("h2", g.Text("Disk")), disk, paragraph(v.DiskText), paragraph(v.DiskForecast)),
		g.El("div", g.El("h2", g.Text("Checks")), paragraph(v.ScrubText), paragraph(v.AttestedText)))
}

func (v *view) receiverSection() g.Node {
	dropped := each(v.Dropped, func(d *droppedView) g.Node { return g.El("li", g.Text(d.Reason+" "), g.El("b", g.Text(d.Count))) })
	return section("Receiver", g.El("p", g.Text(v.ReceiverText)), g.If(len(v.Dropped) > 0, el("ul", "dropped", dropped)))
}

func (v *view) links() g.Node {
	if len(v.Senders) == 0 {
		return section("Link", none("No sender is trusted yet: weir-recv trust NAME KEY."))
	}
	shown := v.Senders[:min(len(v.Senders), linksShown)]
	return section("Link", each(shown, linkCard), more(len(v.Senders)-len(shown), "links"))
}

func linkCard(s *senderView) g.Node {
	bold := func(words string) g.Node { return g.El("b", g.Text(words)) }
	return el("article", "card link"+map[bool]string{true: " bad"}[s.Silent],
		g.El("h3", g.Text(s.Name+" "), el("span", "heard", g.Text(s.Heard))),
		el("dl", "wide",
			term("loss, 24 h", bold(s.Loss)), term("longest outage", bold(s.Longest)), term("parity bridges", bold(s.Bridged)),
			term("lost where", g.Text(s.Where)), term("out of order, twice", g.Text(s.Order)), g.If(s.Skew != "", term("clock", g.Text(s.Skew)))),
		each(s.Advice, func(words *string) g.Node { return el("p", "advice", g.Text(*words)) }),
		g.If(len(s.Plots) > 0, el("div", "plots", each(s.Plots, plotFigure))),
		g.If(len(s.Bursts) > 0, burstTable(s.Bursts)))
}

func plotFigure(p *plotView) g.Node {
	line := func(class string) func(*lineView) g.Node {
		return func(l *lineView) g.Node {
			return el("line", class, num("x1", l.X1), num("y1", l.Y1), num("x2", l.X2), num("y2", l.Y2))
		}
	}
	return g.El("figure", g.El("figcaption", g.Text(p.Title)),
		svg("plot", p.Title, fmt.Sprintf("0 0 %d %d", p.Width, p.Height),
			each(p.Grid, line("grid")),
			each(p.Bars, func(b *pathView) g.Node { return el("path", b.Class, g.Attr("d", b.D)) }),
			each(p.Lines, line("limit")), texts(p.Texts)))
}

func burstTable(all []burstView) g.Node {
	return el("table", "bursts", g.El("caption", g.Text("Lengths of losses, 24 h")),
		g.El("thead", g.El("tr", each(all, func(b *burstView) g.Node { return el("th", "num", g.Text(b.Length)) }))),
		g.El("tbody", g.El("tr", each(all, func(b *burstView) g.Node { return el("td", "num", g.Text(b.Count)) }))))
}
