package status

import (
	"io"
	"maps"
	"slices"
	"strings"

	"weir/internal/textfile"
)

// prom writes the metrics of a Status.
type prom struct{ textfile.Metrics }

type label = textfile.Label

// WriteProm writes the metrics that the package comment lists. Errors are left to
// the Writer to remember.
func WriteProm(w io.Writer, s *Status) {
	p := prom{textfile.Metrics{W: w}}
	p.Single("weir_status_written_seconds", "Time of this file.", float64(s.Written.Unix()))
	p.Single("weir_started_seconds", "Time when the receiver started.", float64(s.Started.Unix()))
	p.Single("weir_alarms", "Alarms that are on.", float64(len(s.Alarms)))
	p.Head("weir_alarm", "An alarm that is on.")
	for _, a := range s.Alarms {
		p.Value("weir_alarm", 1, label{Name: "event", Value: a.Event}, label{Name: "subject", Value: a.Subject})
	}
	p.sources(s)
	p.senders(s)
	p.lanes(s)
	p.host(s)
}

func (p prom) sources(s *Status) {
	missing := map[string]int64{}
	for _, m := range s.Missing {
		missing[sourceOf(m.Snapshot)] += m.Bytes
	}
	for _, m := range []struct {
		name, help string
		value      func(s *Source) (float64, bool)
	}{
		{"weir_source_newest_seconds", "Time of the state that the newest whole restore point holds.", func(s *Source) (float64, bool) {
			if s.Newest == nil {
				return 0, false
			}
			return float64(s.Newest.Taken.Unix()), true
		}},
		{"weir_source_expect_every_seconds", "How often a whole restore point is expected.", func(s *Source) (float64, bool) { return s.Every, s.Every > 0 }},
		{"weir_source_whole", "Restore points that are whole.", func(s *Source) (float64, bool) { return float64(s.Whole), true }},
		{"weir_source_not_whole", "Snapshots that are not whole.", func(s *Source) (float64, bool) { return float64(s.Partial), true }},
		{"weir_source_abandoned", "Snapshots that the sender will never finish.", func(s *Source) (float64, bool) { return float64(s.Abandoned), true }},
		{"weir_source_bytes", "Size of the newest whole restore point.", func(s *Source) (float64, bool) {
			if s.Newest == nil {
				return 0, false
			}
			return float64(s.Newest.Bytes), true
		}},
		{"weir_source_missing_bytes", "Bytes that the snapshots lack that are not whole.", func(s *Source) (float64, bool) {
			return float64(missing[s.Sender+"/"+s.Source]), true
		}},
	} {
		p.Head(m.name, m.help)
		for i := range s.Sources {
			if v, ok := m.value(&s.Sources[i]); ok {
				p.Value(m.name, v, label{Name: "sender", Value: s.Sources[i].Sender}, label{Name: "source", Value: s.Sources[i].Source})
			}
		}
	}
}

// sourceOf returns the sender and source of the name of a snapshot.
func sourceOf(ref string) string {
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		return ref[:i]
	}
	return ref
}

func (p prom) senders(s *Status) {
	flag := map[bool]float64{true: 1}
	for _, m := range []struct {
		name, help string
		value      func(s *Sender) float64
	}{
		{"weir_sender_heard_seconds", "Time of the last authentic frame.", func(s *Sender) float64 {
			if s.Heard.IsZero() {
				return 0
			}
			return float64(s.Heard.Unix())
		}},
		{"weir_sender_clock_skew_seconds", "The vault's clock less the sender's.", func(s *Sender) float64 { return s.Skew }},
		{"weir_link_frames_received_total", "Frames received since the start.", func(s *Sender) float64 { return float64(s.Total.Received) }},
		{"weir_link_frames_lost_total", "Frames lost since the start.", func(s *Sender) float64 { return float64(s.Total.Lost) }},
		{"weir_link_loss_ratio", "Share of the frames lost in the last day.", func(s *Sender) float64 { return s.Day.Loss }},
		{"weir_link_longest_outage_seconds", "Longest outage of the last day.", func(s *Sender) float64 { return s.Day.Outage / 1e3 }},
		{"weir_link_bridged_seconds", "Outage that parity heals.", func(s *Sender) float64 { return s.Day.Bridge / 1e3 }},
		{"weir_link_narrow", "Whether parity does not bridge what was lost, or hardly.", func(s *Sender) float64 { return flag[s.Day.Narrow] }},
	} {
		p.Head(m.name, m.help)
		for i := range s.Senders {
			p.Value(m.name, m.value(&s.Senders[i]), label{Name: "sender", Value: s.Senders[i].Name})
		}
	}
}

// lanes are apart from senders, of which they are parts: sums would count twice.
func (p prom) lanes(s *Status) {
	var all []Sender
	for i := range s.Senders {
		all = append(all, s.Senders[i].Lanes...)
	}
	if len(all) == 0 {
		return
	}
	p.Head("weir_lane_heard_seconds", "When the last authentic frame came over a lane.")
	for i := range all {
		if at := all[i].Heard; !at.IsZero() {
			p.Value("weir_lane_heard_seconds", float64(at.Unix()), label{Name: "link", Value: all[i].Name})
		}
	}
	p.Head("weir_lane_loss_ratio", "Share of a lane's frames lost in the last day.")
	for i := range all {
		p.Value("weir_lane_loss_ratio", all[i].Day.Loss, label{Name: "link", Value: all[i].Name})
	}
	p.Head("weir_lane_longest_outage_seconds", "Longest outage of a lane in the last day.")
	for i := range all {
		p.Value("weir_lane_longest_outage_seconds", all[i].Day.Outage/1e3, label{Name: "link", Value: all[i].Name})
	}
}

func (p prom) host(s *Status) {
	p.Head("weir_frames_dropped_total", "Datagrams that were not used, by reason.")
	for _, reason := range slices.Sorted(maps.Keys(s.Receiver.Dropped)) {
		p.Value("weir_frames_dropped_total", float64(s.Receiver.Dropped[reason]), label{Name: "reason", Value: reason})
	}
	p.Single("weir_socket_dropped_total", "Frames for which the receive buffer had no room.", float64(s.Receiver.Socket))
	p.Single("weir_interface_dropped_total", "Packets lost at the network card.", float64(s.Receiver.Interface))
	p.Single("weir_disk_total_bytes", "Size of the vault's file system.", float64(s.Disk.Total))
	p.Single("weir_disk_free_bytes", "Free space of the vault's file system.", float64(s.Disk.Free))
	p.Single("weir_disk_min_free_bytes", "Space that stays free.", float64(s.Disk.MinFree))
	if s.Disk.Full > 0 {
		p.Single("weir_disk_full_seconds", "Time until the disk is full, at the present pace.", s.Disk.Full)
	}
	if s.Scrub != nil && !s.Scrub.Finished.IsZero() {
		p.Single("weir_scrub_finished_seconds", "Time when everything had last been read again.", float64(s.Scrub.Finished.Unix()))
	}
}
