package sender

import (
	"path/filepath"
	"time"
)

// Repeat says what is kept of snapshots that were sent, and how often they are
// sent again without being asked for.
type Repeat struct {
	Dir          string // where manifests and the spool lie; "" for one in Scratch
	History      int    // snapshots of each source that are remembered; 0 for DefaultHistory
	HistoryBytes int64  // bytes of their manifests in all; 0 for DefaultHistoryBytes
	Passes       int    // times that each object is sent, the first included; 0 for 1
	Spacing      time.Duration
	Refresh      time.Duration // after which the latest snapshot goes out whole again; 0 for never
	Spool        SpoolMode     // how content that is owed passes is kept; "" for SpoolNone
	SpoolDir     string        // "" for one in Dir; links need the file system of the source
	SpoolBytes   int64         // 0 for DefaultSpoolBytes
	SpoolKeep    time.Duration // after the last pass, for repair codes; 0 for DefaultSpoolKeep, below 0 for none
}

func (r *Repeat) complete(scratch string) {
	if r.Dir == "" {
		r.Dir = filepath.Join(scratch, "sent")
	}
	if r.History == 0 {
		r.History = DefaultHistory
	}
	if r.HistoryBytes == 0 {
		r.HistoryBytes = DefaultHistoryBytes
	}
	r.Passes = max(r.Passes, 1)
	if r.Spool == "" {
		r.Spool = SpoolNone
	}
	if r.SpoolDir == "" {
		r.SpoolDir = filepath.Join(r.Dir, "spool")
	}
	if r.SpoolBytes == 0 {
		r.SpoolBytes = DefaultSpoolBytes
	}
	if r.SpoolKeep == 0 {
		r.SpoolKeep = DefaultSpoolKeep
	}
	r.SpoolKeep = max(r.SpoolKeep, 0)
}
