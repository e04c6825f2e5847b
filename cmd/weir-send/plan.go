package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/geometry"
	"weir/internal/plan"
)

// planned is what plan reckons with: the configuration's values unless flags give
// others.
type planned struct {
	config.Sender
	size   config.Size
	loss   config.Percent
	passes int
}

func planCommand(path *string) *cobra.Command {
	p := planned{Sender: config.NewSender("")}
	cmd := &cobra.Command{Use: "plan", Short: planShort, Long: planLong, Example: planExample, Args: cobra.NoArgs}
	f := cmd.Flags()
	f.TextVar(&p.Rate, "rate", config.Rate(0), rateFlag)
	f.Lookup("rate").DefValue = "" // none is shown
	f.TextVar(&p.size, "size", config.Size(0), planSizeFlag)
	f.Lookup("size").DefValue = "" // none is shown
	f.TextVar(&p.Overhead, "overhead", p.Overhead, overFlag)
	f.TextVar(&p.Burst, "burst", p.Burst, planBurstFlag)
	f.IntVar(&p.MTU, "mtu", p.MTU, mtuFlag)
	f.TextVar(&p.loss, "loss", config.Percent(0), lossFlag)
	f.IntVar(&p.passes, "passes", 3, passesFlag)
	cmd.MarkFlagRequired("size")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.complete(cmd, *path); err != nil {
			return err
		}
		return p.print(cmd.OutOrStdout())
	}
	return cmd
}

// complete takes from the configuration what no flag says. Without a
// configuration the rate must be given; all else has defaults.
func (p *planned) complete(cmd *cobra.Command, path string) error {
	given := cmd.Flags().Changed
	if _, err := os.Stat(path); err == nil || cmd.Flags().Changed("config") {
		c, err := loadConfig(path)
		if err != nil {
			return err
		}
		p.fill(c, given)
	}
	switch {
	case p.Rate < config.MinRate || p.Rate > config.MaxRate:
		return exit.With(exit.Usage, fmt.Errorf(planRate, config.MinRate, config.MaxRate))
	case p.Overhead < config.MinOverhead || p.Overhead > config.MaxOverhead || p.loss >= 100:
		return exit.With(exit.Usage, fmt.Errorf(planShare, config.MinOverhead, config.MaxOverhead))
	case p.MTU < config.MinMTU || p.MTU > config.MaxMTU:
		return exit.With(exit.Usage, fmt.Errorf(planMTU, config.MinMTU, config.MaxMTU))
	case p.passes < 1 || p.size <= 0:
		return exit.With(exit.Usage, errors.New(planNothing))
	}
	if !given("burst") && p.Geometry.K == 0 {
		fitBurst(cmd, &p.Sender)
	}
	return p.shape()
}

func (p *planned) fill(c config.Sender, given func(string) bool) {
	keep := p.Sender
	p.Sender = c
	if given("rate") {
		p.Rate = keep.Rate
	}
	if given("overhead") {
		p.Overhead = keep.Overhead
	}
	if given("burst") {
		p.Burst = keep.Burst
	}
	if given("mtu") {
		p.MTU, p.Geometry.Symbol = keep.MTU, 0
	}
	if given("overhead") || given("burst") {
		p.Geometry.K = 0
	}
}

// shape finds the geometry, unless experts gave it.
func (p *planned) shape() error {
	if p.Geometry.Symbol == 0 {
		p.Geometry.Symbol = p.LargestSymbol()
	}
	if p.Geometry.K != 0 {
		return nil
	}
	g, err := geometry.New(uint64(p.Rate), p.Overhead.Fraction(), time.Duration(p.Burst), p.Geometry.Symbol)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	p.Geometry = g
	return nil
}

func (p *planned) print(w io.Writer) error {
	a := plan.Reckon(plan.Question{
		Geometry: p.Geometry, Rate: uint64(p.Rate), Size: uint64(p.size), Burst: time.Duration(p.Burst),
		Loss: p.loss.Fraction(), Passes: p.passes,
	})
	g, t := p.Geometry, tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("blocks", planBlocks, humanize.Comma(int64(a.Blocks)), g.K, g.M, g.Depth, g.Symbol, humanize.IBytes(uint64(g.BlockBytes())))
	row("on the wire", planWire, humanize.Bytes(a.Wire), humanize.Comma(int64(a.Frames)), 100*(float64(a.Wire)/float64(p.size)-1))
	row("one pass", planTime, spell(a.Time), p.Rate)
	row("memory", planMemory, humanize.IBytes(a.Sender), humanize.IBytes(a.Receiver), humanize.IBytes(a.Behind))
	row("outage", planOutage, a.Bridged.Round(100*time.Microsecond), p.Burst, p.loss, chance(a.Outage))
	row("loss", planLoss, p.loss, chance(a.Column), humanize.Bytes(uint64(a.Missing)))
	row("a hole", planHole, chance(a.Pass), p.passes, chance(a.Passes))
	if n := len(p.Lanes); n > 1 {
		words := planLanesOpen
		if g.SparesLane(n) {
			words = planLanesCovered
		}
		row("lanes", words, n, (g.K+n-2)/(n-1), g.K, g.M)
	}
	row("formula", planFormula, g.M, g.K+g.M)
	return t.Flush()
}

// spell writes a time as people say it.
func spell(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f hours (%.1f days)", d.Hours(), d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= time.Minute:
		return fmt.Sprintf("%.1f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.1f seconds", d.Seconds())
}

// chance writes a probability so that its size is seen.
func chance(p float64) string {
	switch {
	case p == 0:
		return "0"
	case p >= 0.1:
		return fmt.Sprintf("%.0f %%", 100*p)
	case p >= 0.001:
		return fmt.Sprintf("%.2g %%", 100*p)
	case p < 1e-100:
		return "less than 1e-100"
	}
	return fmt.Sprintf("%.1e (1 in %s)", p, oneIn(p))
}

func oneIn(p float64) string {
	if n := 1 / p; n < 1e6 {
		return humanize.Comma(int64(n))
	}
	return fmt.Sprintf("%.0e", 1/p)
}
