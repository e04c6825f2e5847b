// Command weir-demo shows weir at work: it builds the real programs, pairs them,
// and sends a tree over a lossy link on loopback. It needs nothing but Go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	remove := flag.Bool("rm", false, "remove the folder in the end")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := demonstrate(ctx, flag.Arg(0), *remove)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "weir-demo:", err)
		os.Exit(1)
	}
}
