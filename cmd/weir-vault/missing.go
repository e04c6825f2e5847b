package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/internal/count"
	"weir/internal/exit"
	"weir/internal/qr"
	"weir/internal/vault"
)

// missingOptions say how what lacks is told.
type missingOptions struct {
	json, manifests, qr bool
	file                string
}

func missingCommand(p *place) *cobra.Command {
	var o missingOptions
	cmd := &cobra.Command{
		Use: missingUse, Short: missingShort, Long: missingLong, Example: missingExample,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, jsonFlag)
	f.BoolVar(&o.manifests, "manifest", false, missingManifestFlag)
	f.BoolVar(&o.qr, "qr", false, missingQRFlag)
	f.StringVar(&o.file, "file", "", missingFileFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("qr") {
			o.qr = term.IsTerminal(int(os.Stdout.Fd()))
		}
		var l missingReport
		err := lookAgain(func() (err error) { l, err = p.missing(args, o.how()); return err })
		if err != nil {
			return err
		}
		return l.tell(cmd.OutOrStdout(), o, len(args) > 0)
	}
	return cmd
}

// notWhole returns the snapshot that is named, or all that are not whole.
func (p *place) notWhole(args []string) (dir string, all []vault.Found, err error) {
	if len(args) > 0 {
		dir, found, err := p.find(args[0])
		return dir, []vault.Found{found}, err
	}
	if dir, err = p.dir(); err != nil {
		return dir, nil, err
	}
	infos, err := vault.List(dir)
	for _, i := range infos {
		if err != nil || i.State == vault.Whole || i.State == vault.Abandoned {
			continue
		}
		var found vault.Found
		if found, err = vault.Lookup(dir, i); errors.Is(err, vault.ErrNotFound) {
			err = nil // published meanwhile
			continue
		}
		all = append(all, found)
	}
	return dir, all, err
}

// lacking is what one snapshot lacks.
type lacking struct {
	Snapshot     string              `json:"snapshot"`
	Manifest     bool                `json:"manifest"`           // it has come
	Building     bool                `json:"building,omitempty"` // it has, and nothing is known to lack
	MissingFiles int64               `json:"missing_files"`
	MissingBytes int64               `json:"missing_bytes"`
	Files        []vault.MissingFile `json:"files"`
}

func (o *missingOptions) how() int {
	switch {
	case o.manifests:
		return vault.Manifests
	case o.file != "":
		return vault.Exact
	}
	return vault.Typed
}

// looks bounds how often what lacks is looked for, while a receiver publishes one
// snapshot after the other.
const looks = 20

// lookAgain calls look until nothing of what it read had moved away under it: a
// receiver that runs may publish a snapshot while it is looked at.
func lookAgain(look func() error) (err error) {
	for range looks {
		if err = look(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// missingReport is what the snapshots lack, and the codes that bring it.
type missingReport struct {
	Snapshots []lacking      `json:"snapshots"`
	Codes     []vault.Repair `json:"codes"`
}

// missing looks at the snapshot that is named, or at all that are not whole.
func (p *place) missing(args []string, how int) (missingReport, error) {
	l := missingReport{[]lacking{}, []vault.Repair{}}
	dir, all, err := p.notWhole(args)
	if err != nil {
		return l, err
	}
	var ask []vault.Found
	for _, found := range all {
		if found.State == vault.Abandoned {
			return l, exit.With(exit.Damaged, fmt.Errorf(missingAbandoned, found.Ref()))
		}
		if found.State == vault.Whole {
			continue
		}
		one, err := lacksOf(dir, found)
		if err != nil {
			return l, err
		}
		l.Snapshots = append(l.Snapshots, one)
		if !one.Building {
			ask = append(ask, found) // what is there need not be sent again
		}
	}
	codes, err := vault.Repairs(dir, ask, how)
	l.Codes = append(l.Codes, codes...)
	return l, err
}

// tell names what lacks and prints the codes; each file, if a snapshot was named.
// Anything missing makes the command end with exit.Damaged.
func (l missingReport) tell(w io.Writer, o missingOptions, each bool) (err error) {
	switch {
	case o.json:
		err = printJSON(w, l)
	case len(l.Snapshots) == 0:
		_, err = fmt.Fprintln(w, missingNothing)
	default:
		err = printLacking(w, l, o, each)
	}
	if err == nil && o.file != "" {
		err = writeCodes(o.file, l.Codes)
	}
	if err == nil && len(l.Snapshots) > 0 {
		err = exit.With(exit.Damaged, fmt.Errorf(missingSum, len(l.Snapshots)))
	}
	return err
}

func lacksOf(dir string, found vault.Found) (lacking, error) {
	l := lacking{Snapshot: found.Ref(), Manifest: found.Manifest != "", Files: []vault.MissingFile{}}
	for m, err := range vault.Missing(dir, found) {
		if err != nil {
			return l, err
		}
		l.MissingFiles++
		l.Files = append(l.Files, m)
		for _, r := range m.Ranges {
			l.MissingBytes += r[1]
		}
	}
	l.Building = found.Building && l.MissingFiles == 0
	return l, nil
}

// printFile prints a line for a file: its path, quoted, and OFFSET+LENGTH of what
// lacks.
func printFile(w io.Writer, m vault.MissingFile) {
	fmt.Fprintf(w, "%q", m.Path)
	for _, r := range m.Ranges {
		fmt.Fprintf(w, " %d+%d", r[0], r[1])
	}
	fmt.Fprintln(w)
}

func printLacking(w io.Writer, l missingReport, o missingOptions, each bool) error {
	for _, one := range l.Snapshots {
		if one.Building {
			fmt.Fprintf(w, missingBuilding, one.Snapshot)
			continue
		}
		if !one.Manifest {
			fmt.Fprintf(w, missingNoManifest, one.Snapshot)
			continue
		}
		if each {
			for _, m := range one.Files {
				printFile(w, m)
			}
		}
		fmt.Fprintf(w, missingLine, one.Snapshot, size(one.MissingBytes), count.Of(one.MissingFiles, "file"))
	}
	for _, r := range l.Codes {
		if o.file != "" {
			fmt.Fprintf(w, missingCarry, o.file, r.Sender)
			continue
		}
		if r.Code == "" {
			fmt.Fprintf(w, missingNoCode, r.Sender)
			continue
		}
		if _, err := fmt.Fprintf(w, missingCode, r.Sender, r.Code); err != nil {
			return err
		}
		if c, err := qr.New(r.Code); err == nil && o.qr {
			fmt.Fprint(w, "\n"+c.Terminal())
		}
	}
	return nil
}

// writeCodes writes the codes to a file that is carried. Each sender takes the
// lines that are for it.
func writeCodes(path string, codes []vault.Repair) error {
	var text []byte
	for _, r := range codes {
		text = fmt.Appendf(text, missingFileLine, r.Sender, r.Code)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the codes: %w", err)
	}
	return nil
}
