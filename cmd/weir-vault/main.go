// Command weir-vault reads the vault: it lists, verifies and restores what
// weir-recv stored, while that runs or years later without it.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"weir/internal/exit"
)

func main() { os.Exit(run()) }

func run() int { return exit.Execute(rootCommand()) }

// rootCommand holds one command a file, added here.
func rootCommand() *cobra.Command {
	root := &cobra.Command{Use: "weir-vault", Short: rootShort, Long: rootLong}
	p := placeFlags(root)
	root.AddCommand(
		listCommand(p),
		showCommand(p),
		acceptCommand(p),
		clockCommand(p),
		missingCommand(p),
		statusCommand(p),
		verifyCommand(p),
		restoreCommand(p),
		eventsCommand(p),
		pruneCommand(p),
		lockCommand(p),
		reindexCommand(p),
		scrubCommand(p),
		drillCommand(p),
		dropCommand(p),
	)
	return root
}
