package main

import (
	"time"

	"github.com/rs/zerolog"

	"weir/internal/vault"
	"weir/protocol"
)

// sink hands what the receiver took off the link to the vault. The two know
// nothing of each other; this is where their words meet.
type sink struct {
	vault *vault.Vault
	log   zerolog.Logger
	seen  *seen
}

func snapshot(sender string, c protocol.Context) vault.Snapshot {
	return vault.Snapshot{Sender: sender, Source: c.Source, Number: c.Number, Taken: time.Unix(0, c.Taken).UTC()}
}

func (s *sink) Touch(sender string, c protocol.Context) error {
	return s.vault.Touch(snapshot(sender, c))
}

func (s *sink) WriteRange(sender string, c protocol.Context, id protocol.ObjectID, off uint64, p []byte) error {
	snap := snapshot(sender, c)
	s.seen.stored(snap, len(p))
	return s.vault.WriteRange(snap, vault.ObjectID(id), int64(off), p)
}

func (s *sink) EndObject(sender string, c protocol.Context, e protocol.End) error {
	var holes [][2]int64
	for _, h := range e.Holes {
		holes = append(holes, [2]int64{int64(h.Offset), int64(h.Length)})
	}
	return s.vault.EndObject(snapshot(sender, c), vault.ObjectID(e.Object), int64(e.Size), vault.Hash(e.SHA256), holes)
}

func (s *sink) CloseSnapshot(sender string, c protocol.Context, m protocol.Manifest) error {
	return s.vault.CloseSnapshot(snapshot(sender, c), vault.ManifestRef{
		Object:     vault.ObjectID(m.Object),
		ObjectSize: int64(m.ObjectSize),
		Size:       int64(m.Size),
		SHA256:     vault.Hash(m.SHA256),
		Previous:   vault.Hash(m.Previous),
		Signature:  m.Signature,
	})
}

// Heartbeat makes the vault know of snapshots of which not a frame came.
func (s *sink) Heartbeat(sender string, hb protocol.Heartbeat) error {
	s.seen.heartbeat(sender, time.Since(time.Unix(0, hb.Clock)))
	var first error // one that cannot be must not hide the others
	for _, src := range hb.Sources {
		c := protocol.Context{Source: src.Source, Number: src.Number, Taken: src.Taken}
		if err := s.vault.Announced(snapshot(sender, c)); first == nil {
			first = err
		}
	}
	return first
}

// Abandoned makes the vault wait no longer for what the sender never finished.
func (s *sink) Abandoned(sender string, a protocol.Abandoned) error {
	var first error
	for _, c := range a.Snapshots {
		if err := s.vault.Abandoned(snapshot(sender, c)); first == nil {
			first = err
		}
	}
	return first
}

// Settle also writes what the report has to say to the event log, which belongs
// to this goroutine.
func (s *sink) Settle(quiet bool) error {
	s.seen.write(s.vault)
	return s.vault.Settle(quiet)
}
