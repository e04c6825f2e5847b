package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/confinement"
	"weir/internal/event"
)

// confine takes from the process what it needs no longer, now that everything is
// open. It returns the layers that are in force or missing.
func (s *service) confine(c config.Receiver) ([]confinement.Layer, error) {
	if c.Confinement == config.ConfineOff {
		s.log.Warn().Str(event.Field, event.Confined).Msg(confineOff)
		return nil, nil
	}
	_ = time.Now().Local().Hour() // the zone is a file, read at its first use
	layers, err := confinement.Apply([]string{c.Vault, filepath.Dir(c.State), c.Status}, c.Confinement == config.ConfineStrict)
	if err != nil {
		return layers, err
	}
	if err := s.vault.Probe(); err != nil {
		return layers, fmt.Errorf(notWritable, c.Vault, err)
	}
	for _, l := range layers {
		line := s.log.Info()
		if l.Error != nil {
			line = s.log.Warn().Err(l.Error)
		}
		line.Str(event.Field, event.Confined).Str("layer", l.Name).Msg(l.Does)
	}
	return layers, nil
}

// explain prints what is in force.
func explain(w io.Writer, layers []confinement.Layer) error {
	if layers == nil {
		_, err := fmt.Fprintln(w, confineOff)
		return err
	}
	for _, l := range layers {
		fmt.Fprintln(w, l)
	}
	_, err := fmt.Fprintf(w, confineCalls, strings.Join(confinement.Allowed(), " "))
	return err
}
