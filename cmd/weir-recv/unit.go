package main

import (
	"fmt"
	"os"
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
	program, err := os.Executable()
	if err != nil {
		return unit.Service{}, fmt.Errorf("finding this program: %w", err)
	}
	return unit.Service{
		Description:  rootShort,
		Command:      []string{program, "run", "--config", c.File},
		Mounts:       []string{c.Vault, c.Status},
		Writable:     []string{c.Vault, filepath.Dir(c.State), c.Status},
		Capabilities: []string{"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"},
	}, nil
}
