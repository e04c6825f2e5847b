package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/count"
	"weir/internal/e2e/specimen"
	"weir/internal/relay"
)

const (
	rate     = "800Mbit"
	slowRate = "200Mbit" // where the system gives small receive buffers
	// cutFrames is a fifth of what parity bridges by default at 800 Mbit/s: the
	// same blocks lose 2 % at random as well.
	cutFrames = 320
	cutAt     = 30000
	// nowhere stands in the sender's configuration until the link is there.
	nowhere   = "127.0.0.1:9"
	startTime = 20 * time.Second
	idleTime  = "20s"
)

// faults are those of the link between the two hosts.
var faults = relay.Faults{
	Seed: 1, Loss: 0.02, Duplicate: 0.01, Reorder: 0.01, ReorderBy: 100, Cuts: []relay.Cut{{From: cutAt, Length: cutFrames}},
}

// size is that of the tree that is made: some 300 MB.
var size = specimen.Size{Seed: 1, Large: 200e6, Mediums: 45, MediumLength: 2e6, Smalls: 3000}

// demo is one demonstration.
type demo struct {
	dir  string // the folder of everything
	src  string // what is sent
	recv *exec.Cmd
	link *relay.Relay
}

func demonstrate(ctx context.Context, src string, remove bool) (err error) {
	start := time.Now()
	d := &demo{}
	if d.dir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
		return err
	}
	if err := d.choose(src); err != nil {
		os.Remove(d.dir)
		return err
	}
	fmt.Printf(sayFolder, d.dir)
	defer func() {
		d.stop()
		switch {
		case err != nil:
			fmt.Printf(sayKept, d.dir)
		case remove:
			removeAll(d.dir)
		}
	}()
	for _, step := range []func(context.Context) error{
		d.build, d.tree, d.pair, d.start, d.push, d.published, d.sums, d.restore, d.back,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	if remove {
		fmt.Printf(sayRemoved, took)
	} else {
		fmt.Printf(sayEnd, took, d.vault(), d.path("restored"), d.path(logName), d.dir)
	}
	return nil
}

// choose takes what the user wants to have sent.
func (d *demo) choose(src string) (err error) {
	if src == "" {
		return nil
	}
	if d.src, err = filepath.Abs(src); err != nil {
		return err
	}
	info, err := os.Stat(d.src)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory; name one, or nothing to send a tree that is made", src)
	}
	if rel, err := filepath.Rel(d.src, d.dir); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s holds %s, where the demonstration writes; set TMPDIR to a place outside of it", src, d.dir)
	}
	return nil
}

// removeAll removes the folder; restore points are read-only.
func removeAll(dir string) {
	filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	os.RemoveAll(dir)
}

func (d *demo) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

func (d *demo) vault() string { return d.path("vault") }

// command prepares one of the programs.
func (d *demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.path("bin", name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

// output runs a program quietly; what it says is shown if it fails.
func (d *demo) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := d.command(ctx, name, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, said.String())
	}
	return strings.TrimSpace(out.String()), nil
}

func (d *demo) build(ctx context.Context) error {
	fmt.Print(sayBuild)
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", d.path("bin")+"/",
		"weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building: %w; run weir-demo from weir's own source tree", err)
	}
	return nil
}

func (d *demo) tree(context.Context) error {
	if d.src != "" {
		return nil
	}
	fmt.Print(sayTree)
	d.src = d.path("source")
	return specimen.Make(d.src, size)
}

// pair does what two people with two keyboards and a stick do.
func (d *demo) pair(ctx context.Context) error {
	fmt.Print(sayPair)
	listen, err := freePort()
	if err != nil {
		return err
	}
	receiver, err := d.output(ctx, "weir-recv", "init", "--vault", d.vault(), "--listen", listen, "--config", d.receiverConfig())
	if err != nil {
		return err
	}
	rate, err := affordable()
	if err != nil {
		return err
	}
	sender, err := d.output(ctx, "weir-send", "init", "--name", "prod", "--to", nowhere, "--receiver", receiver, "--rate", rate, "--config", d.senderConfig())
	if err != nil {
		return err
	}
	if rate == slowRate {
		if err := replaceIn(d.senderConfig(), `burst = "25ms"`, `burst = "100ms"`); err != nil {
			return err
		}
	}
	_, err = d.output(ctx, "weir-recv", "trust", "prod", sender, "--config", d.receiverConfig())
	return err
}

// affordable returns the rate at which this machine does not lose more than the
// link does.
func affordable() (string, error) {
	room, err := relay.Room()
	if err != nil || room >= relay.Roomy {
		return rate, err
	}
	fmt.Printf(saySmall, room>>10, slowRate)
	return slowRate, nil
}

func (d *demo) receiverConfig() string { return d.path("recv", "receiver.toml") }
func (d *demo) senderConfig() string   { return d.path("send", "sender.toml") }

// freePort returns a loopback address that nobody listens on.
func freePort() (string, error) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer c.Close()
	return c.LocalAddr().String(), nil
}

// start starts the receiver and puts the lossy link before it.
func (d *demo) start(ctx context.Context) error {
	fmt.Printf(sayLink, 100*faults.Loss, 100*faults.Duplicate, 100*faults.Reorder, cutFrames)
	log, err := os.Create(d.path(logName))
	if err != nil {
		return err
	}
	defer log.Close()
	if err := replaceIn(d.receiverConfig(), `log_level = "info"`, `log_level = "debug"`); err != nil {
		return err
	}
	d.recv = d.command(ctx, "weir-recv", "run", "--config", d.receiverConfig(), "--exit-after", "1", "--exit-idle", idleTime)
	d.recv.Stderr = log
	if err := d.recv.Start(); err != nil {
		d.recv = nil
		return err
	}
	to, err := d.listening(ctx)
	if err != nil {
		return err
	}
	if d.link, err = relay.Start(to, faults); err != nil {
		return err
	}
	return replaceIn(d.senderConfig(), nowhere, d.link.Addr().String())
}

// listening waits until the receiver says where it listens.
func (d *demo) listening(ctx context.Context) (netip.AddrPort, error) {
	for end := time.Now().Add(startTime); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		l, err := readLog(d.path(logName))
		if err != nil {
			return netip.AddrPort{}, err
		}
		if l.listen != "" {
			return netip.ParseAddrPort(l.listen)
		}
	}
	return netip.AddrPort{}, fmt.Errorf("the receiver did not start; see %s", d.path(logName))
}

func replaceIn(path, from, to string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(data, []byte(from)) {
		return fmt.Errorf("%s does not say %s", path, from)
	}
	return os.WriteFile(path, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600)
}

// push sends, and waits until the receiver has what it takes for one restore
// point.
func (d *demo) push(ctx context.Context) error {
	fmt.Print(sayPush)
	send := d.command(ctx, "weir-send", "push", "--source", "demo", d.src, "--config", d.senderConfig())
	if err := send.Run(); err != nil {
		return fmt.Errorf("weir-send push: %w", err)
	}
	recv := d.recv
	d.recv = nil
	if err := recv.Wait(); err != nil {
		return fmt.Errorf("weir-recv run: %w; see %s", err, d.path(logName))
	}
	c := d.link.Counts()
	fmt.Printf(sayLost, c.Passed-c.Duplicated, c.Received, c.Lost, c.CutOut, c.Duplicated, c.Reordered)
	if c.KernelDrops > 0 {
		fmt.Printf(sayDrops, c.KernelDrops)
	}
	l, err := readLog(d.path(logName))
	if err != nil {
		return err
	}
	fmt.Printf(sayHealed, l.framesLost, l.rebuilt, l.blocksHealed, l.blocksLost)
	fmt.Printf(sayCPU, send.ProcessState.UserTime()+send.ProcessState.SystemTime(), recv.ProcessState.UserTime()+recv.ProcessState.SystemTime())
	return nil
}

func (d *demo) published(ctx context.Context) error {
	l, err := readLog(d.path(logName))
	if err != nil {
		return err
	}
	if len(l.whole) != 1 {
		return fmt.Errorf("the receiver speaks of %d whole restore points; see %s", len(l.whole), d.path(logName))
	}
	fmt.Printf(sayPublished, l.whole[0])
	if err := d.command(ctx, "weir-vault", "list", "--vault", d.vault()).Run(); err != nil {
		return fmt.Errorf("weir-vault list: %w", err)
	}
	return nil
}

// sums checks the restore point with a program that knows nothing of weir.
func (d *demo) sums(ctx context.Context) error {
	points, err := filepath.Glob(d.path("vault", "prod", "demo", "*"))
	if err != nil {
		return err
	}
	if len(points) != 1 {
		return fmt.Errorf("there are %d restore points in %s, not one", len(points), d.vault())
	}
	fmt.Printf(saySums, points[0])
	if _, err := exec.LookPath("sha256sum"); err != nil {
		fmt.Print(sayNoSums)
		return d.command(ctx, "weir-vault", "verify", "--all", "--vault", d.vault()).Run()
	}
	cmd := exec.CommandContext(ctx, "sha256sum", "--strict", "-c", "SHA256SUMS")
	cmd.Dir, cmd.Stderr = points[0], os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("sha256sum -c: %w\n%s", err, failures(out))
	}
	fmt.Printf(sayOK, count.Of(bytes.Count(out, []byte(": OK\n")), "file"))
	return nil
}

// failures keeps the lines of sha256sum that are not good news.
func failures(out []byte) string {
	var bad strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(line, ": OK\n") {
			bad.WriteString(line)
		}
	}
	return bad.String()
}

func (d *demo) restore(ctx context.Context) error {
	fmt.Print(sayRestore)
	if _, err := d.output(ctx, "weir-vault", "restore", "prod/demo/latest", d.path("restored"), "--vault", d.vault()); err != nil {
		return err
	}
	n, err := specimen.Compare(d.src, d.path("restored"))
	if err != nil {
		return fmt.Errorf("what was restored is not what was sent: %w", err)
	}
	fmt.Printf(sayCompared, count.Of(n, "entry"))
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
