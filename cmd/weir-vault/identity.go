package main

import (
	"fmt"
	"os"

	"filippo.io/age"

	"weir/internal/exit"
)

// identities reads the recovery keys in a file of age-keygen; none for "".
func identities(path string) ([]age.Identity, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the recovery key: %w", err)
	}
	defer f.Close()
	all, err := age.ParseIdentities(f)
	if err != nil {
		return nil, exit.With(exit.Usage, fmt.Errorf(badIdentity, path, err))
	}
	return all, nil
}
