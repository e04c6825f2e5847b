package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/config"
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
			s, err := unitOf(c)
			if err != nil {
				return err
			}
			return s.Write(cmd.OutOrStdout())
		},
	}
}

// unitOf grants what run needs before it confines itself: a large socket buffer, a
// port below 1024, and an interface to bind to.
func unitOf(c config.Receiver) (unit.Service, error) {
	command, err := unit.Run(c.File)
	return unit.Service{
		Description:  rootShort,
		Command:      command,
		Mounts:       []string{c.Vault, c.Status},
		Writable:     []string{c.Vault, filepath.Dir(c.State), c.Status},
		Capabilities: []string{"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"},
	}, err
}
