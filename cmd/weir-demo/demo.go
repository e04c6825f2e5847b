package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/relay"
)

const (
	rate = "800Mbit"
	// The outage is a third of what parity bridges by default, as the same block
	// also loses 2 % at random.
	cutFrames = 500
	cutTime   = 7700 * time.Microsecond
	cutAt     = 30000
	listening = "\"event\":\"started\""
	startTime = 20 * time.Second
	idleTime  = "20s"
)

// demo is one demonstration.
type demo struct {
	dir  string // the folder of everything
	src  string // what is sent
	recv *exec.Cmd
	log  string // path of the receiver's log
	link *relay.Relay
}

func demonstrate(ctx context.Context, src string, remove bool) (err error) {
	start := time.Now()
	d := &demo{src: src}
	if d.dir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
		return err
	}
	fmt.Printf(sayFolder, d.dir)
	if remove {
		defer removeAll(d.dir)
	}
	defer d.stop()
	for _, step := range []func(context.Context) error{
		d.build, d.tree, d.pair, d.start, d.push, d.list, d.sums, d.restore, d.back,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if remove {
		fmt.Printf(sayRemoved, time.Since(start).Round(100*time.Millisecond))
	} else {
		fmt.Printf(sayEnd, time.Since(start).Round(100*time.Millisecond), d.dir)
	}
	return nil
}

// removeAll removes the folder; restore points are read-only.
func removeAll(dir string) {
	filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	os.RemoveAll(dir)
}

func (d *demo) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

// command prepares one of the programs with its configuration.
func (d *demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.path("bin", name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stderr = os.Stderr
	return cmd
}

func (d *demo) build(ctx context.Context) error {
	fmt.Print(sayBuild)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", d.path("bin")+"/", "weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building: %w; run weir-demo from weir's own source tree", err)
	}
	return nil
}

func (d *demo) tree(context.Context) (err error) {
	if d.src != "" {
		d.src, err = filepath.Abs(d.src)
		return err
	}
	fmt.Print(sayTree)
	d.src = d.path("source")
	return makeTree(d.src)
}

// pair does what two people with two keyboards and a stick do.
func (d *demo) pair(ctx context.Context) error {
	fmt.Print(sayPair)
	listen, err := freePort()
	if err != nil {
		return err
	}
	recvPub, err := d.output(ctx, "weir-recv", "init", "--vault", d.path("vault"), "--listen", listen, "--config", d.path("recv", "receiver.toml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path("receiver.pub"), recvPub, 0o644); err != nil {
		return err
	}
	d.log = d.path("receiver.log")
	sendPub, err := d.output(ctx, "weir-send", "init", "--name", "prod", "--to", "127.0.0.1:9", "--receiver", "@"+d.path("receiver.pub"), "--rate", rate, "--config", d.path("send", "sender.toml"))
	if err != nil {
		return err
	}
	_, err = d.output(ctx, "weir-recv", "trust", "prod", strings.TrimSpace(string(sendPub)), "--config", d.path("recv", "receiver.toml"))
	return err
}

// freePort returns a loopback address that nobody listens on.
func freePort() (string, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.LocalAddr().String(), nil
}

// output runs a program quietly; what it says is shown if it fails.
func (d *demo) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := d.command(ctx, name, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, args[0], err, said.String())
	}
	return out, nil
}

// start starts the receiver and puts the lossy link before it.
func (d *demo) start(ctx context.Context) error {
	log, err := os.Create(d.log)
	if err != nil {
		return err
	}
	defer log.Close()
	config := d.path("recv", "receiver.toml")
	if err := replaceIn(config, `log_level = "info"`, `log_level = "debug"`); err != nil {
		return err
	}
	d.recv = d.command(ctx, "weir-recv", "run", "--config", config, "--exit-after", "1", "--exit-idle", idleTime)
	d.recv.Stderr = log
	if err := d.recv.Start(); err != nil {
		return err
	}
	to, err := d.listening(ctx)
	if err != nil {
		return err
	}
	fmt.Printf(sayLink, cutFrames, cutTime)
	d.link, err = relay.Start(to, relay.Faults{
		Seed: 1, Loss: 0.02, Duplicate: 0.01, Reorder: 0.01, ReorderBy: 100, Cuts: []relay.Cut{{From: cutAt, Length: cutFrames}},
	})
	if err != nil {
		return err
	}
	return replaceIn(d.path("send", "sender.toml"), "127.0.0.1:9", d.link.Addr().String())
}

// listening waits until the receiver says where it listens.
func (d *demo) listening(ctx context.Context) (netip.AddrPort, error) {
	for end := time.Now().Add(startTime); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		data, _ := os.ReadFile(d.log)
		for line := range strings.Lines(string(data)) {
			var l struct{ Listen string }
			if strings.Contains(line, listening) && json.Unmarshal([]byte(line), &l) == nil {
				return netip.ParseAddrPort(l.Listen)
			}
		}
	}
	return netip.AddrPort{}, fmt.Errorf("the receiver did not start; see %s", d.log)
}

func replaceIn(path, old, new string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(old)) {
		return fmt.Errorf("%s does not say %s", path, old)
	}
	return os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(new)), 0o600)
}

func (d *demo) push(ctx context.Context) error {
	fmt.Print(sayPush)
	cmd := d.command(ctx, "weir-send", "push", "--source", "demo", d.src, "--config", d.path("send", "sender.toml"))
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("weir-send push: %w", err)
	}
	err := d.recv.Wait()
	d.recv = nil
	if err != nil {
		return fmt.Errorf("weir-recv run: %w; see %s", err, d.log)
	}
	c := d.link.Counts()
	fmt.Printf(sayLost, c.Passed, c.Received, c.Lost, c.CutOut, c.Duplicated, c.Reordered)
	return d.healed()
}

// healed tells what the receiver's log tells.
func (d *demo) healed() error {
	f, err := os.Open(d.log)
	if err != nil {
		return err
	}
	defer f.Close()
	var rebuilt, healed, lost int
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Event   string
			Rebuilt int
		}
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		switch l.Event {
		case "block-healed":
			healed++
			rebuilt += l.Rebuilt
		case "block-lost":
			lost++
		}
	}
	fmt.Printf(sayHealed, rebuilt, healed, lost)
	return lines.Err()
}

func (d *demo) list(ctx context.Context) error {
	fmt.Print(sayPoint)
	cmd := d.command(ctx, "weir-vault", "list", "--vault", d.path("vault"))
	cmd.Stdout = os.Stdout
	return cmd.Run()
}

// sums checks the restore point with a program that knows nothing of weir.
func (d *demo) sums(ctx context.Context) error {
	fmt.Print(saySums)
	if _, err := exec.LookPath("sha256sum"); err != nil {
		fmt.Print(sayNoSums)
		cmd := d.command(ctx, "weir-vault", "verify", "--all", "--vault", d.path("vault"))
		cmd.Stdout = os.Stdout
		return cmd.Run()
	}
	points, err := filepath.Glob(d.path("vault", "prod", "demo", "*"))
	if err != nil || len(points) != 1 {
		return fmt.Errorf("there are %d restore points: %w", len(points), err)
	}
	cmd := exec.CommandContext(ctx, "sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS")
	cmd.Dir, cmd.Stdout, cmd.Stderr = points[0], os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sha256sum -c: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(points[0], "SHA256SUMS"))
	if err != nil {
		return err
	}
	fmt.Printf("   sha256sum: %d files OK\n", bytes.Count(sums, []byte("\n")))
	return nil
}

func (d *demo) restore(ctx context.Context) error {
	fmt.Print(sayRestore)
	if _, err := d.output(ctx, "weir-vault", "restore", "prod/demo/latest", d.path("restored"), "--vault", d.path("vault")); err != nil {
		return err
	}
	n, err := compare(d.src, d.path("restored"))
	if err != nil {
		return err
	}
	fmt.Printf(sayCompared, n)
	return nil
}

func (d *demo) back(context.Context) error {
	n := d.link.Counts().Returned
	fmt.Printf(sayBack, n)
	if n != 0 {
		return errors.New("something came back over a link that is one-way")
	}
	return nil
}

// stop ends what still runs.
func (d *demo) stop() {
	if d.recv != nil {
		d.recv.Process.Kill()
		d.recv.Wait()
	}
	if d.link != nil {
		d.link.Close()
	}
}
