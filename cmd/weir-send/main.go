// Command weir-send runs on the production host: it reads files and sends
// snapshots of them over a one-way link.
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
	root := &cobra.Command{Use: "weir-send", Short: rootShort, Long: rootLong}
	path := root.PersistentFlags().String("config", config.SenderPath, configFlag)
	root.AddCommand(
		checkCommand(path),
		calibrateCommand(path),
		initCommand(path),
		keyCommand(path),
		listCommand(path),
		planCommand(path),
		pushCommand(path),
		receiverCommand(path),
		resendCommand(path),
		rotateCommand(path),
		runCommand(path),
		statusCommand(path),
		unitCommand(path),
	)
	return root
}
