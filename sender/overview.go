package sender

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/internal/manifest"
)

// Overview says what was sent and what is still to be sent by itself. Nothing in
// it tells what arrived.
type Overview struct {
	Snapshots    []Remembered `json:"snapshots"`
	PassesWanted int          `json:"passes_wanted"`
	SpoolMode    SpoolMode    `json:"spool"`
	SpoolObjects int64        `json:"spool_objects"`
	SpoolBytes   int64        `json:"spool_bytes"`
	SpoolLimit   int64        `json:"spool_limit"`
}

// Remembered is one snapshot that was sent and can be sent again.
type Remembered struct {
	Snapshot  string      `json:"snapshot"` // SENDER/SOURCE/NAME, as the vault calls it
	Source    string      `json:"source"`
	Number    uint64      `json:"number"`
	Taken     time.Time   `json:"taken"`
	Manifest  string      `json:"manifest"` // SHA-256 of its manifest, hex
	Files     int64       `json:"files"`
	Bytes     int64       `json:"bytes"`
	New       int64       `json:"new_files"` // that its first pass sent
	NewBytes  int64       `json:"new_bytes"`
	Passes    []time.Time `json:"passes"`             // when each was done
	Next      time.Time   `json:"next_pass,omitzero"` // when the next is due
	Refresh   time.Time   `json:"next_refresh,omitzero"`
	Owed      int64       `json:"owed_files"` // that the last pass could not send
	OwedBytes int64       `json:"owed_bytes"`
	Resent    int64       `json:"resent_bytes"` // that repair codes asked for
	ResentAt  time.Time   `json:"resent_at,omitzero"`
}

// Overview returns what is remembered, by source and number.
func (s *Sender) Overview() (*Overview, error) {
	all, err := s.cfg.State.Sent()
	if err != nil {
		return nil, err
	}
	o := &Overview{
		Snapshots: []Remembered{}, PassesWanted: s.cfg.Repeat.Passes, SpoolMode: s.cfg.Repeat.Spool, SpoolLimit: s.cfg.Repeat.SpoolBytes,
	}
	o.SpoolObjects, o.SpoolBytes = s.spool.use()
	for i, sent := range all {
		r := Remembered{
			Snapshot: s.cfg.Name + "/" + sent.Source + "/" + sent.Name(), Source: sent.Source, Number: sent.Number, Taken: sent.Taken,
			Manifest: hex.EncodeToString(sent.SHA256[:]), Files: sent.Files, Bytes: sent.Bytes, New: sent.New, NewBytes: sent.NewBytes,
			Passes: sent.Passes, Owed: sent.Owed, OwedBytes: sent.OwedBytes, Resent: sent.Resent, ResentAt: sent.ResentAt,
		}
		if at, ok := s.passDue(sent); ok {
			r.Next = at.UTC()
		}
		if latest := i+1 == len(all) || all[i+1].Source != sent.Source; latest && s.refreshes(sent) {
			r.Refresh = s.refreshDue(sent).UTC()
		}
		o.Snapshots = append(o.Snapshots, r)
	}
	return o, nil
}

// Wire returns the bytes that were put on the wire since the Sender was made,
// Ethernet included. It may be called from anywhere.
func (s *Sender) Wire() uint64 { return s.t.wireBytes() }

// SentFile is one file of a snapshot, and how often its content went out.
type SentFile struct {
	Path   string    `json:"path"`
	Size   int64     `json:"size"`
	Object string    `json:"object"`
	Times  uint32    `json:"times"`         // whole, the first time included
	Last   time.Time `json:"last,omitzero"` // not the first time
}

// SentFiles lists the files of a snapshot, named SOURCE@NUMBER, that have content.
func (s *Sender) SentFiles(name string) ([]SentFile, error) {
	source, text, _ := strings.Cut(name, "@")
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %q names no snapshot; write SOURCE@NUMBER", ErrJob, name)
	}
	sent, err := s.cfg.State.sent(source, n)
	if err != nil {
		return nil, err
	}
	files := []SentFile{}
	err = s.history.each(sent, func(e *manifest.Entry) error {
		t := s.cfg.State.times(source, e.Object)
		files = append(files, SentFile{Path: printable(e.Path), Size: e.Size, Object: hex.EncodeToString(e.Object[:]), Times: t.Count, Last: t.Last})
		return nil
	})
	return files, err
}
