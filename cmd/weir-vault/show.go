package main

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"weir/internal/keys"
	"weir/internal/manifest"
	"weir/internal/vault"
)

func showCommand(p *place) *cobra.Command {
	var asJSON, files bool
	cmd := &cobra.Command{Use: showUse, Short: showShort, Long: showLong, Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, jsonFlag)
	f.BoolVar(&files, "files", false, filesFlag)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, found, err := p.find(args[0])
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if asJSON {
			return printJSON(w, found.Info)
		}
		if err := printInfo(w, found); err != nil {
			return err
		}
		return printEntries(w, found, files)
	}
	return cmd
}

func printInfo(w io.Writer, found vault.Found) error {
	i := found.Info
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "snapshot\t%s\n", found.Ref())
	fmt.Fprintf(t, "state\t%s\n", strings.TrimSuffix(fmt.Sprintf("%s, %s", i.State, lacks(i)), ", "))
	fmt.Fprintf(t, "taken\t%s\n", i.Taken.Format(time.RFC3339))
	if !i.Received.IsZero() {
		fmt.Fprintf(t, "received\t%s\n", i.Received.Format(time.RFC3339))
	}
	fmt.Fprintf(t, "files\t%s\n", humanize.Comma(i.Files))
	fmt.Fprintf(t, "size\t%s\n", size(i.Bytes))
	if pub := found.Signer(); pub != nil {
		fmt.Fprintf(t, "signed by\t%s\n", signerWords(found, pub))
	}
	fmt.Fprintf(t, "place\t%s\n", found.Dir)
	return t.Flush()
}

// signerWords names the key that signed, as weir-recv senders does.
func signerWords(found vault.Found, pub ed25519.PublicKey) string {
	name := keys.Fingerprint(keys.SenderText(pub))
	if found.Revoked.IsZero() {
		return name
	}
	return fmt.Sprintf(signedRevoked, name, found.Revoked.Format(time.RFC3339))
}

// printEntries lists the entries that the sender had trouble with, or all.
func printEntries(w io.Writer, found vault.Found, all bool) error {
	if found.Manifest == "" {
		return nil
	}
	f, err := os.Open(found.Manifest)
	if err != nil {
		return fmt.Errorf("opening the manifest: %w", err)
	}
	defer f.Close()
	r, err := manifest.NewReader(f, manifest.Limits{})
	if err != nil {
		return err
	}
	for {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if all || e.Problem != "" {
			printEntry(w, e)
		}
	}
}

func printEntry(w io.Writer, e *manifest.Entry) {
	line := fmt.Sprintf("%-8s %04o %12d %s %q", e.Kind, e.Mode, e.Size, e.ModTime.Format(time.RFC3339), e.Path)
	if e.Target != "" {
		line += fmt.Sprintf(" -> %q", e.Target)
	}
	if e.Problem != "" {
		line += fmt.Sprintf("  [%q]", e.Problem) // the sender's words: not to be shown to a terminal as they are
	}
	fmt.Fprintln(w, line)
}
