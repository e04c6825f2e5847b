package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"weir/internal/config"
)

// iperfSeconds is how long iperf3 sends.
const iperfSeconds = 3

// iperf3 measures UDP between two iperf3, flat out: they neither protect nor
// store anything. What arrived counts.
func (b *bench) iperf3(ctx context.Context, s setup) (o outcome, err error) {
	recv, err := start(ctx, b.hosts.recv, b.cpu(1), "iperf3", "-s", "-1", "-p", "5301", "--forceflush")
	if err != nil {
		return o, err
	}
	if _, err := recv.await(ctx, "listening"); err != nil {
		return o, err
	}
	send, err := start(ctx, b.hosts.send, b.cpu(0), "iperf3", "-c", recvAddr, "-p", "5301", "-u", "-b", "0",
		"-l", fmt.Sprint(s.mtu-28), "-t", fmt.Sprint(iperfSeconds), "-J")
	if err != nil {
		return o, err
	}
	if o.send, err = send.wait(); err != nil {
		return o, err
	}
	if o.recv, err = recv.wait(); err != nil {
		return o, err
	}
	return o, o.parseIperf(send)
}

func (o *outcome) parseIperf(p *process) error {
	var report struct {
		End struct {
			Sum struct {
				Seconds float64 `json:"seconds"`
				Bytes   float64 `json:"bytes"`
				Lost    float64 `json:"lost_percent"`
			} `json:"sum"`
		} `json:"end"`
	}
	var all strings.Builder
	for _, s := range p.said {
		all.WriteString(s.line + "\n")
	}
	text := all.String()
	if err := json.Unmarshal([]byte(text[max(0, strings.Index(text, "{")):]), &report); err != nil {
		return fmt.Errorf("reading iperf3's report: %w", err)
	}
	sum := report.End.Sum
	o.bytes = int64(sum.Bytes * (1 - sum.Lost/100))
	o.took = time.Duration(sum.Seconds * 1e9)
	return nil
}

// udpcastMost is the rate that udpcast is tried at first, and the highest that it can
// be told: it counts them in 31 bits, and beyond that it sends nothing.
const udpcastMost = config.Rate(2.1e9)

// udpcastHeads is what an IP packet of udpcast has beside content, in bytes.
const udpcastHeads = 44

// udpcast measures a file over udpcast without return channel, with parity that
// heals 5 frames of 512. It neither encrypts nor hashes nor syncs.
func (b *bench) udpcast(ctx context.Context, s setup) (o outcome, err error) {
	to := b.place.path("udpcast")
	defer os.Remove(to)
	recv, err := start(ctx, b.hosts.recv, b.cpu(1), "udp-receiver", "--file", to, "--interface", recvDev, "--nokbd", "--nosync",
		"--rcvbuf", fmt.Sprint(4<<20), "--start-timeout", "10", "--receive-timeout", "2")
	if err != nil {
		return o, err
	}
	if _, err := recv.await(ctx, "receiver"); err != nil {
		return o, err
	}
	begun := time.Now()
	send, err := start(ctx, b.hosts.send, b.cpu(0), "udp-sender", "--file", b.file, "--interface", sendDev, "--async", "--nokbd",
		"--pointopoint", "--mcast-data-address", recvAddr, "--max-bitrate", fmt.Sprintf("%dk", b.rate/1e3), "--fec", "4x5/128",
		"--blocksize", fmt.Sprint(s.mtu-udpcastHeads), "--rexmit-hello-interval", "50", "--autostart", "5")
	if err != nil {
		return o, err
	}
	o.send, err = send.wait()
	var rerr error
	o.recv, rerr = recv.wait()
	o.took, o.bytes = time.Since(begun), int64(b.opt.size)
	if err = errors.Join(err, rerr); err == nil {
		err = exec.CommandContext(ctx, "cmp", b.file, to).Run()
	}
	return o, err
}
