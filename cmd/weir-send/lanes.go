package main

import (
	"weir/internal/udptx"
	"weir/sender"
)

// dial opens a socket for each lane.
func (s *service) dial() (lanes []sender.Link, err error) {
	for _, l := range s.config.Lanes {
		link, err := udptx.Dial(udptx.Config{To: l.Address, Interface: l.Interface, NoGSO: !s.config.Offload})
		if err != nil {
			return nil, err
		}
		s.links, lanes = append(s.links, link), append(lanes, link)
	}
	return lanes, nil
}

// stopLinks makes what waits for a link return.
func (s *service) stopLinks() {
	for _, l := range s.links {
		l.Stop()
	}
}

// linkStats adds up those of all lanes.
func (s *service) linkStats() (sum udptx.Stats) {
	for _, l := range s.links {
		one := l.Stats()
		sum.Datagrams, sum.Bytes = sum.Datagrams+one.Datagrams, sum.Bytes+one.Bytes
		sum.Refused, sum.Full = sum.Refused+one.Refused, sum.Full+one.Full
	}
	return sum
}
