package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"weir/internal/unit"
)

func unitCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use: "unit", Short: unitShort, Long: unitLong, Example: unitExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(*path)
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program: %w", err)
			}
			return unit.Service{
				Description: rootShort,
				Command:     []string{program, "run", "--config", c.File},
				// To read files of everybody, to link them into a spool (fs.protected_hardlinks of
				// proc_sys_fs(5)), a large socket buffer, and an interface to bind to.
				Capabilities: []string{"CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_NET_ADMIN", "CAP_NET_RAW"},
			}.Write(cmd.OutOrStdout())
		},
	}
}
