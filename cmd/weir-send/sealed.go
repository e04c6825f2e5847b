package main

import (
	"fmt"

	"weir/internal/config"
	"weir/internal/exit"
	"weir/internal/sealing"
)

// sealedSources returns to whom the content of each source is sealed. It holds
// for push too: a source is not sent in the clear because somebody pushed it.
func sealedSources(sources []config.Source) (map[string]*sealing.Recipients, error) {
	all := map[string]*sealing.Recipients{}
	for _, s := range sources {
		if len(s.EncryptTo) == 0 {
			continue
		}
		r, err := sealing.Parse(s.EncryptTo)
		if err != nil {
			return nil, exit.With(exit.Usage, fmt.Errorf(badRecipients, s.Name, err))
		}
		all[s.Name] = r
	}
	return all, nil
}
