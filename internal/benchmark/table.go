package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// units are the columns of the table.
var units = []string{"s", rateUnit, "send-s/GB", "recv-s/GB", "send-MiB", "recv-MiB"}

const rateUnit = "Gbit/s"

// row is all runs of one name.
type row struct {
	name   string
	values map[string][]float64
	failed int
}

func (r *row) median(unit string) float64 {
	all := slices.Sorted(slices.Values(r.values[unit]))
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// label is a name without what all have in common.
func (r *row) label() string {
	_, name, _ := strings.Cut(r.name, "/")
	return strings.ReplaceAll(name, "/", " ")
}

// printTable prints the medians of the lines in a file, and what weir reaches of
// the others in the same set-up.
func printTable(w io.Writer, path string) error {
	rows, err := readLines(path)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "case\truns\tfailed\t%s\tweir is\n", strings.Join(units, "\t"))
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d", r.label(), len(r.values[units[0]]), r.failed)
		for _, u := range units {
			fmt.Fprintf(t, "\t%.2f", r.median(u))
		}
		fmt.Fprintf(t, "\t%s\n", ratio(rows, r))
	}
	return t.Flush()
}

// ratio compares weir with another tool.
func ratio(rows []*row, r *row) string {
	at, tool, _ := strings.Cut(r.name, "tool=")
	for _, ours := range rows {
		if tool != "weir" && !ofTree(tool) && ours.name == at+"tool=weir" && r.median(rateUnit) > 0 {
			return fmt.Sprintf("%.2f of its rate", ours.median(rateUnit)/r.median(rateUnit))
		}
	}
	return ""
}

func readLines(path string) (rows []*row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	named := map[string]*row{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(strings.TrimPrefix(lines.Text(), "# "))
		if len(words) < 2 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		r := named[words[0]]
		if r == nil {
			r = &row{name: words[0], values: map[string][]float64{}}
			named[words[0]] = r
			rows = append(rows, r)
		}
		r.add(words[1:])
	}
	return rows, lines.Err()
}

// add takes the values of one line, or notes that the run failed.
func (r *row) add(words []string) {
	if words[0] == "failed:" {
		r.failed++
		return
	}
	for i := 1; i+1 < len(words); i += 2 {
		if v, err := strconv.ParseFloat(words[i], 64); err == nil {
			r.values[words[i+1]] = append(r.values[words[i+1]], v)
		}
	}
}
