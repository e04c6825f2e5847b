// Command weir-recv runs on the vault host: it receives frames from a one-way
// link and stores what they carry. It links nothing that sends.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"weir/internal/config"
	"weir/internal/exit"
)

func main() { os.Exit(run()) }

func run() int { return exit.Execute(rootCommand()) }

// rootCommand holds one command a file, added here.
func rootCommand() *cobra.Command {
	root := &cobra.Command{Use: "weir-recv", Short: rootShort, Long: rootLong}
	path := root.PersistentFlags().String("config", config.ReceiverPath, configFlag)
	root.AddCommand(
		checkCommand(path),
		initCommand(path),
		keyCommand(path),
		revokeCommand(path),
		rotateCommand(path),
		runCommand(path),
		sendersCommand(path),
		trustCommand(path),
		unitCommand(path),
	)
	return root
}
