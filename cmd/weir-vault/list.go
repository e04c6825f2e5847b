package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/count"
	"weir/internal/vault"
)

func listCommand(p *place) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: listUse, Short: listShort, Long: listLong, Example: listExample,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, jsonFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := p.dir()
		if err != nil {
			return err
		}
		all, err := vault.List(dir)
		if err != nil {
			return err
		}
		infos := below(all, args)
		if err := vault.AddLocks(dir, infos); err != nil {
			cmd.PrintErrln(err) // what is locked cannot be told, the rest can
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), infos)
		}
		if len(infos) == 0 && len(args) > 0 {
			return fmt.Errorf(listNone, args[0])
		}
		return printTable(cmd.OutOrStdout(), infos)
	}
	return cmd
}

// below keeps the snapshots of the sender, or sender/source, that was named.
// The result is never nil: in JSON an empty list is [].
func below(all []vault.Info, args []string) []vault.Info {
	kept := []vault.Info{}
	for _, info := range all {
		if len(args) == 0 || strings.HasPrefix(info.Sender+"/"+info.Source+"/", strings.TrimSuffix(args[0], "/")+"/") {
			kept = append(kept, info)
		}
	}
	return kept
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printTable(w io.Writer, infos []vault.Info) error {
	if len(infos) == 0 {
		_, err := fmt.Fprintln(w, listEmpty)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, listHead)
	for _, i := range infos {
		fmt.Fprintf(t, "%s/%s/%s\t%s\t%s\t%s\t%s\n",
			i.Sender, i.Source, i.Name, i.State, humanize.Comma(i.Files), size(i.Bytes), lacks(i))
	}
	return t.Flush()
}

// lacks says what a snapshot is short of, in the words of a table's last
// column.
func lacks(i vault.Info) string {
	var words []string
	if i.State != vault.Whole {
		switch {
		case i.State == vault.Abandoned:
			words = append(words, isAbandoned)
		case i.MissingFiles > 0 || i.MissingBytes > 0:
			words = append(words, fmt.Sprintf(lacksFiles, size(i.MissingBytes), count.Of(i.MissingFiles, "file")))
		case i.Building:
			words = append(words, isBuilding)
		default:
			words = append(words, lacksManifest)
		}
	}
	words = append(words, doubts(i)...)
	if !i.Locked.IsZero() {
		words = append(words, fmt.Sprintf(isLocked, i.Locked.UTC().Format(time.DateOnly)))
	}
	if i.Problems > 0 {
		words = append(words, fmt.Sprintf(hasProblems, count.Of(i.Problems, "file")))
	}
	return strings.Join(words, ", ")
}

// doubts says why a snapshot is not to be trusted unseen.
func doubts(i vault.Info) (words []string) {
	if len(i.Suspicious) > 0 {
		words = append(words, fmt.Sprintf(isSuspicious, strings.Join(i.Suspicious, "; ")))
	}
	if !i.Revoked.IsZero() {
		words = append(words, fmt.Sprintf(isRevoked, i.Revoked.Format(time.RFC3339)))
	}
	return words
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
