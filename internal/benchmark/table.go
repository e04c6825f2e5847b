package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// units are what the table has the medians of.
var units = []string{rateUnit, "send-s/GB", "recv-s/GB", "send-MiB", "recv-MiB"}

// columns of the table: the last two are weir's rate and CPU as multiples of those
// of the tool in the row.
var columns = []string{"link", "MTU", "loss %", "tool", "runs", rateUnit, "send s/GB", "recv s/GB", "send MiB", "recv MiB", "rate x", "CPU x"}

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

// label has the columns that say what was measured.
func (r *row) label() string {
	var words []string
	for part := range strings.SplitSeq(r.name, "/") {
		if _, value, ok := strings.Cut(part, "="); ok {
			words = append(words, value)
		}
	}
	return strings.Join(words, "\t| ")
}

// printTable prints the medians of the lines in a file, and what weir reaches of
// the others in the same set-up, so that a README takes it as it is.
func printTable(w io.Writer, path string) error {
	rows, err := readLines(path)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(t, "| %s\t|\n|%s\n", strings.Join(columns, "\t| "), strings.Repeat(" ---\t|", len(columns)))
	for _, r := range rows {
		fmt.Fprintf(t, "| %s\t| %s\t|", r.label(), r.count())
		for _, u := range units {
			fmt.Fprintf(t, " %s\t|", r.cell(u))
		}
		rate, cpu := ratios(rows, r)
		fmt.Fprintf(t, " %s\t| %s\t|\n", rate, cpu)
	}
	return t.Flush()
}

// count says how many runs arrived whole, and how many not.
func (r *row) count() string {
	if n := len(r.values[rateUnit]); r.failed > 0 {
		return fmt.Sprintf("%d (%d not)", n, r.failed)
	} else {
		return strconv.Itoa(n)
	}
}

// cell is the median of one column.
func (r *row) cell(unit string) string {
	switch {
	case len(r.values[unit]) == 0:
		return ""
	case strings.HasSuffix(unit, "MiB"):
		return strconv.FormatFloat(r.median(unit), 'f', 0, 64)
	}
	return strconv.FormatFloat(r.median(unit), 'f', 2, 64)
}

// ratios compares weir with another tool: its rate, and its CPU at both ends.
func ratios(rows []*row, r *row) (rate, cpu string) {
	at, tool, _ := strings.Cut(r.name, "tool=")
	for _, ours := range rows {
		if tool != "weir" && !ofTree(tool) && ours.name == at+"tool=weir" && r.median(rateUnit) > 0 {
			return fmt.Sprintf("%.2f", ours.median(rateUnit)/r.median(rateUnit)), fmt.Sprintf("%.2f", ours.work()/r.work())
		}
	}
	return "", ""
}

// work is what a gigabyte costs at both ends together.
func (r *row) work() float64 { return r.median(units[1]) + r.median(units[2]) }

func readLines(path string) (rows []*row, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
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
