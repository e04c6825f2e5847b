// The program benchmark measures weir between two network namespaces, beside
// tools that others made and beside a bare pair of sockets that does no work.
//
// It needs root, ip(8) and ethtool(8); for the other tools iperf3, udpcast and nft(8).
// What it measured it prints as lines that benchstat reads, and as a table of
// medians:
//
//	go run ./internal/benchmark -models S -mtu 1500 -loss 0,1 -rate 7.5Gbit
//	go run ./internal/benchmark -tools files -models S -rate 1Gbit
//	go run ./internal/benchmark -tools again -models S -files 1000000 -file-size 16B -rate 1Gbit
//	go run ./internal/benchmark -whole -out all.txt
//
// Of a veth pair three models are made, see offloads. Frames are lost one by one:
// weir's in the receiving program, just after the socket, for which it is built with
// the tag lossy, and those of the others by nft(8), before the receiving host looks
// at them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		exit(bareEnd(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, os.Args[1:]))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
