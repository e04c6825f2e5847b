package main

import (
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
			command, err := unit.Run(c.File)
			if err != nil {
				return err
			}
			return unit.Service{
				Description: rootShort,
				Command:     command,
				// To read files of everybody, to link them into a spool (fs.protected_hardlinks of
				// proc_sys_fs(5)), a large socket buffer, and an interface to bind to.
				Capabilities: []string{"CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_NET_ADMIN", "CAP_NET_RAW"},
			}.Write(cmd.OutOrStdout())
		},
	}
}
