package status

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/internal/count"
	"weir/internal/event"
	"weir/internal/expectation"
	"weir/internal/linkquality"
)

type senderView struct {
	Name, Heard, Loss, Longest, Bridged, Where, Order, Skew string
	Silent                                                  bool // a lane over which nothing comes while the others go on
	Advice                                                  []string
	Plots                                                   []plotView
	Bursts                                                  []burstView
}

type burstView struct{ Length, Count string }

// rankLinks lists those first whose advice is about loss that parity does not
// bridge, then other advice; lanes follow their sender.
func (v *view) rankLinks(s *Status) {
	order := make([]*Sender, len(s.Senders))
	for i := range s.Senders {
		order[i] = &s.Senders[i]
	}
	rank := func(s *Sender) int {
		for i := range s.Lanes {
			if s.Lanes[i].Day.Narrow {
				return 0
			}
		}
		switch {
		case s.Day.Narrow:
			return 0
		case len(s.Day.Advice) > 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(order, func(a, b *Sender) int { return cmp.Compare(rank(a), rank(b)) })
	for _, snd := range order {
		v.Senders = append(v.Senders, newSenderView(snd, s.Written))
		for i := range snd.Lanes {
			lane := newSenderView(&snd.Lanes[i], s.Written)
			lane.Skew = ""
			if lane.Silent = s.alarmed(event.LaneSilent, lane.Name); lane.Silent {
				lane.Heard = "SILENT, " + lane.Heard
			}
			v.Senders = append(v.Senders, lane)
		}
	}
}

func newSenderView(s *Sender, now time.Time) senderView {
	q := &s.Day
	v := senderView{
		Name: s.Name, Heard: "never heard of", Loss: loss(q.Received, q.Lost), Longest: "none", Bridged: "–", Where: "–",
		Order: fmt.Sprintf("%s, %s", comma(q.Reordered), comma(q.Late)), Skew: skew(s.Skew), Advice: q.Advice,
	}
	if s.Heard.IsZero() {
		v.Skew = "–"
	} else {
		v.Heard = "heard " + ago(now, s.Heard) + " ago"
	}
	if q.Longest > 0 {
		v.Longest = fmt.Sprintf("%s (%s)", short(q.Outage), count.Of(q.Longest, "frame"))
	}
	if q.Bridged > 0 {
		v.Bridged = short(q.Bridge)
	}
	if q.Lost > 0 {
		v.Where = fmt.Sprintf("link %s, network card %s, receive buffer %s", comma(q.Link), comma(q.Interface), comma(q.Socket))
	}
	for i, n := range q.Bursts {
		if n > 0 {
			v.Bursts = append(v.Bursts, burstView{lengths(i), comma(n)})
		}
	}
	if len(s.Hours) == 0 {
		return v
	}
	v.Plots = []plotView{
		plot("24 hours: share lost, longest outage in frames", s.Fine, q.Bridged, now, linkquality.FineSpan, linkquality.Fine, "15:04"),
		plot("30 days: share lost, longest outage in frames", s.Hours, q.Bridged, now, linkquality.CoarseSpan, linkquality.Coarse, "2 Jan"),
	}
	return v
}

func loss(received, lost uint64) string {
	switch {
	case received+lost == 0:
		return "nothing came"
	case lost == 0:
		return "none"
	}
	return linkquality.Plain(100*float64(lost)/float64(received+lost)) + " %"
}

func skew(s float64) string {
	switch {
	case math.Abs(s) < 1:
		return "agrees within 1 s"
	case s < 0:
		return "sender's is " + expectation.Spell(seconds(-s)) + " ahead"
	}
	return "sender's is " + expectation.Spell(seconds(s)) + " behind"
}

func short(ms float64) string {
	if ms < 1 {
		return fmt.Sprintf("%.3g µs", ms*1000)
	}
	if ms >= 1000 {
		return fmt.Sprintf("%.3g s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

func lengths(bin int) string {
	if bin == 0 {
		return "1"
	}
	return fmt.Sprintf("%s–%s", comma(1<<bin), comma(1<<(bin+1)-1))
}

// plotView is a picture: the share that was lost above, the longest outage below,
// both on logarithmic scales.
type plotView struct {
	Title         string
	Width, Height int
	Grid, Lines   []lineView
	Bars          []pathView // all bars of a class are one path: a month has many
	Texts         []textView
}

type (
	lineView struct{ X1, Y1, X2, Y2 float64 }
	pathView struct{ Class, D string }
)

// Measures of a plot.
const (
	plotLeft, plotRight = 76.0, 500.0
	lossTop, lossBase   = 8.0, 92.0
	longTop, longBase   = 112.0, 188.0
	plotHeight          = 214
	lossDecades         = 6 // from 1 in a million to all
	longDecades         = 6 // from 1 frame to a million
	heardHeight         = 3.0
)

func plot(title string, bars []Bar, bridged uint64, now time.Time, span, width time.Duration, layout string) plotView {
	p := plotView{Title: title, Width: int(plotRight), Height: plotHeight}
	p.axes()
	from := now.Add(-span)
	x := func(t time.Time) float64 { return plotLeft + (plotRight-plotLeft)*float64(t.Sub(from))/float64(span) }
	w := (plotRight - plotLeft) * float64(width) / float64(span)
	p.times(from, span, layout, x)
	for _, b := range bars {
		left := max(x(time.Unix(b.Start, 0)), plotLeft)
		if b.Start < from.Add(-width).Unix() || left >= plotRight {
			continue
		}
		p.bar(b, left, min(w, plotRight-left), bridged)
	}
	if bridged > 0 {
		y := figure(longBase - logShare(float64(bridged), longDecades)*(longBase-longTop))
		p.Lines = append(p.Lines, lineView{plotLeft, y, plotRight, y})
		p.Texts = append(p.Texts, textView{plotRight - 4, y - 3, "end", "parity bridges"})
	}
	return p
}

// axes draws lines at every second decade.
func (p *plotView) axes() {
	for i, name := range []string{"all", "1 %", "0.01 %", "0.0001 %"} {
		y := lossTop + float64(i)*(lossBase-lossTop)/3
		p.Grid = append(p.Grid, lineView{plotLeft, y, plotRight, y})
		p.Texts = append(p.Texts, textView{plotLeft - 5, y + 4, "end", name})
	}
	for i, name := range []string{"1,000,000", "1,000", "1"} {
		y := longTop + float64(i)*(longBase-longTop)/2
		p.Grid = append(p.Grid, lineView{plotLeft, y, plotRight, y})
		p.Texts = append(p.Texts, textView{plotLeft - 5, y + 4, "end", name})
	}
}

func (p *plotView) times(from time.Time, span time.Duration, layout string, x func(time.Time) float64) {
	step := span / 4
	for at := from.Truncate(step).Add(step); at.Before(from.Add(span)); at = at.Add(step) {
		px := figure(x(at))
		p.Grid = append(p.Grid, lineView{px, lossTop, px, longBase})
		if px > plotLeft+20 && px < plotRight-20 {
			p.Texts = append(p.Texts, textView{px, plotHeight - 6, "mid", at.UTC().Format(layout)})
		}
	}
}

// bar draws what came and was lost in one stretch of time.
func (p *plotView) bar(b Bar, x, w float64, bridged uint64) {
	if b.Lost == 0 {
		p.add("heard", x, lossBase, w, heardHeight)
		return
	}
	share := float64(b.Lost) / float64(b.Received+b.Lost)
	p.add("lost", x, lossBase, w, max(heardHeight, logShare(share*math.Pow10(lossDecades), lossDecades)*(lossBase-lossTop)))
	if b.Longest == 0 {
		return
	}
	class := "long"
	if bridged > 0 && b.Longest > bridged {
		class = "over"
	}
	p.add(class, x, longBase, w, max(2, logShare(float64(b.Longest), longDecades)*(longBase-longTop)))
}

func (p *plotView) add(class string, x, base, w, h float64) {
	i := slices.IndexFunc(p.Bars, func(v pathView) bool { return v.Class == class })
	if i < 0 {
		i, p.Bars = len(p.Bars), append(p.Bars, pathView{Class: class})
	}
	p.Bars[i].D += fmt.Sprintf("M%.1f %.1fh%.1fv%.1fh-%.1fz", x, base, max(w, 0.5), -h, max(w, 0.5))
}

// logShare returns where v, from 1 up, stands on a scale of so many decades.
func logShare(v float64, decades int) float64 {
	if v <= 1 {
		return 0
	}
	return min(math.Log10(v)/float64(decades), 1)
}
