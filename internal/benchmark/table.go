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

// What a cell has the medians of, beside the rate: of the sender and the receiver.
var (
	workUnits   = [2]string{"send-s/GB", "recv-s/GB"}
	memoryUnits = [2]string{"send-MiB", "recv-MiB"}
)

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

// printTable prints the medians of the lines in a file, so that a README takes it as
// it is: a line for each set-up, a column for each tool. In it stand the rate, the CPU
// and the memory of sender and receiver, and then what weir needs or reaches as a
// multiple of it: rate, and CPU of both ends.
func printTable(w io.Writer, path string) error {
	rows, err := readLines(path)
	if err != nil {
		return err
	}
	var setups, tools []string
	at := map[[2]string]*row{}
	for _, r := range rows {
		setup, tool, _ := strings.Cut(r.name, "/tool=")
		setups, tools = with(setups, setup), with(tools, tool)
		at[[2]string{setup, tool}] = r
	}
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(t, "| link\t| MTU\t| loss %%\t| %s\t|\n|%s\n", strings.Join(tools, "\t| "), strings.Repeat(" ---\t|", 3+len(tools)))
	for _, setup := range setups {
		fmt.Fprintf(t, "| %s\t|", label(setup))
		for _, tool := range tools {
			fmt.Fprintf(t, " %s\t|", at[[2]string{setup, tool}].cell(at[[2]string{setup, "weir"}]))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// with appends what a list does not have.
func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// label has the columns that say what was measured.
func label(setup string) string {
	var words []string
	for part := range strings.SplitSeq(setup, "/") {
		if _, value, ok := strings.Cut(part, "="); ok {
			words = append(words, value)
		}
	}
	return strings.Join(words, "\t| ")
}

// cell is a row's place in the table. It also tells of runs that did not arrive.
func (r *row) cell(weir *row) string {
	if r == nil {
		return ""
	}
	if len(r.values[rateUnit]) == 0 {
		return fmt.Sprintf("none of %d", r.failed)
	}
	text := fmt.Sprintf("%.2f, %.2f+%.2f, %.0f+%.0f", r.median(rateUnit), r.median(workUnits[0]), r.median(workUnits[1]),
		r.median(memoryUnits[0]), r.median(memoryUnits[1]))
	if weir != nil && weir != r && len(weir.values[rateUnit]) > 0 && r.work() > 0 {
		text += fmt.Sprintf("; %.2fx, %.2fx", weir.median(rateUnit)/r.median(rateUnit), weir.work()/r.work())
	}
	if r.failed > 0 {
		text += fmt.Sprintf(" (%d not)", r.failed)
	}
	return text
}

// work is what a gigabyte costs at both ends together.
func (r *row) work() float64 { return r.median(workUnits[0]) + r.median(workUnits[1]) }

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
