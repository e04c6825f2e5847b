package status

import (
	_ "embed"
	"fmt"
	"io"

	g "maragu.dev/gomponents"

	"weir/internal/count"
)

//go:embed page.css
var pageStyle string

// WriteHTML writes the page. It is put together from elements, whose text and
// attributes are escaped, and not from a template: those call methods by name,
// for which the linker would keep every method there is, those that send among
// them.
func WriteHTML(w io.Writer, s *Status) error {
	if _, err := io.WriteString(w, "<!DOCTYPE html>\n"); err != nil {
		return err
	}
	return newView(s).page().Render(w)
}

// el returns an element; class may be empty.
func el(name, class string, children ...g.Node) g.Node {
	if class != "" {
		children = append([]g.Node{g.Attr("class", class)}, children...)
	}
	return g.El(name, children...)
}

// each makes a node of each item.
func each[T any](all []T, node func(*T) g.Node) g.Node {
	nodes := make(g.Group, len(all))
	for i := range all {
		nodes[i] = node(&all[i])
	}
	return nodes
}

// svg returns a picture with a name for those who cannot see it.
func svg(class, name, box string, children ...g.Node) g.Node {
	return el("svg", class, append([]g.Node{g.Attr("viewBox", box), g.Attr("role", "img"), g.Attr("aria-label", name)}, children...)...)
}

func rect(class string, x, y, w, h float64, children ...g.Node) g.Node {
	return el("rect", class, append([]g.Node{num("x", x), num("y", y), num("width", w), num("height", h)}, children...)...)
}

func num(name string, v float64) g.Node { return g.Attr(name, fmt.Sprintf("%g", v)) }

// term is a name and what it is, in a list of them.
func term(name string, children ...g.Node) g.Node {
	return el("div", "", el("dt", "", g.Text(name)), el("dd", "", children...))
}

func (v *view) page() g.Node {
	mark := "✓"
	if !v.Good {
		mark = fmt.Sprintf("✗ %d", len(v.Alarms))
	}
	meta := func(pairs ...string) g.Node {
		var attrs []g.Node
		for i := 0; i < len(pairs); i += 2 {
			attrs = append(attrs, g.Attr(pairs[i], pairs[i+1]))
		}
		return g.El("meta", attrs...)
	}
	return g.El("html", g.Attr("lang", "en"),
		g.El("head",
			meta("charset", "utf-8"),
			meta("name", "viewport", "content", "width=device-width, initial-scale=1"),
			meta("http-equiv", "refresh", "content", "30"),
			meta("http-equiv", "Content-Security-Policy", "content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
			meta("name", "color-scheme", "content", "light dark"),
			g.El("title", g.Textf("%s weir on %s", mark, v.Host)),
			g.El("link", g.Attr("rel", "icon"), g.Attr("href", "data:,")),
			g.El("style", g.Raw(pageStyle)),
		),
		g.El("body",
			g.El("header",
				el("p", "brand", g.Text("weir "), g.El("span", g.Textf("vault on %s", v.Host))),
				el("p", "written", g.Text("as of "), g.El("time", g.Attr("datetime", v.WrittenISO), g.Text(v.Written))),
			),
			g.El("main", v.verdict(), v.sources(), v.moving(), v.missing(), v.links(), v.host(), v.receiverSection()),
			g.El("footer", g.El("p", g.Textf("%s, vault %s, up since %s. This file is written every %s: if its time does not move, weir-recv does not run. Times are UTC, ages by the vault's clock.",
				v.Tool, v.Vault, v.Started, v.Every))),
		))
}

func (v *view) verdict() g.Node {
	class, words := "verdict bad", "Not as expected: "+count.Of(len(v.Alarms), "thing")
	switch {
	case v.Good:
		class, words = "verdict good", "All is as expected"
	case len(v.Alarms) == 1:
		words = "One thing is not as expected"
	}
	shown := v.Alarms[:min(len(v.Alarms), alarmsShown)]
	alarms := each(shown, func(a *alarmView) g.Node {
		return el("li", "", g.El("strong", g.Text(a.Subject)), g.Text(" "), el("span", "tag", g.Text(a.Event)), g.Text(" "),
			el("span", "since", g.Text("since "+a.Since)), g.El("br"), g.Text(a.Text))
	})
	return el("section", class, g.El("h1", g.Text(words)), g.El("p", g.Text(v.Summary)), g.If(!v.Good, g.Group{el("ul", "alarms", alarms), more(len(v.Alarms)-len(shown), "alarms")}))
}
