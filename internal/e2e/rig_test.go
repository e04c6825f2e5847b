// Package e2e runs the real programs over links that lose, and looks at what
// became of the files.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/e2e/specimen"
	"weir/internal/relay"
)

// bin is where the programs lie.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	// Tests run programs as another user too.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir+"/", "weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const (
	// patience bounds every wait of a test.
	patience = 60 * time.Second
	// longPatience bounds those of the tests that WEIR_LONG asks for.
	longPatience = 10 * time.Minute
)

// rig is a vault host and its senders on one machine.
type rig struct {
	t        *testing.T
	dir      string
	listen   string
	recv     *process
	patience time.Duration
	recvNS   string // namespace of the receiver, "" for this one
	sendNS   string // and of the senders
	peak     int64  // most memory of the last program that run ran, in bytes
}

// process is a program that runs, and what it has logged.
type process struct {
	cmd    *exec.Cmd
	memory *meter
	mu     sync.Mutex
	said   bytes.Buffer
	done   chan struct{} // closed when it has ended
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, dir: tempDir(t), listen: freePort(t), patience: patience}
	g.initReceiver()
	return g
}

func (g *rig) initReceiver() {
	g.t.Helper()
	pub := g.must("weir-recv", "init", "--vault", g.path("vault"), "--listen", g.listen, "--config", g.path("receiver.toml"))
	if err := os.WriteFile(g.path("receiver.pub"), []byte(pub), 0o644); err != nil {
		g.t.Fatal(err)
	}
	// The machines that run this may have little room to spare.
	g.edit(g.path("receiver.toml"), `min_free = "1GiB"`, `min_free = "64MiB"`)
}

// tempDir is t.TempDir for trees with read-only directories.
func tempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				os.Chmod(p, 0o755)
			}
			return nil
		})
		os.RemoveAll(dir)
	})
	return dir
}

// freePort returns an address that nobody listens on, below the ports that the
// kernel gives to whoever asks: it must stay free while a receiver restarts.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		c, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(22000)))
		if err == nil {
			defer c.Close()
			return c.LocalAddr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (g *rig) path(elem ...string) string {
	return filepath.Join(append([]string{g.dir}, elem...)...)
}

// run runs a program to its end and returns what it printed and its exit code.
func (g *rig) run(name string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	return g.runIn(nil, name, args...)
}

func (g *rig) runIn(stdin []byte, name string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), g.patience)
	defer cancel()
	name, args = within(g.sendNS, filepath.Join(bin, name), args)
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	if err := cmd.Start(); err != nil {
		g.t.Fatalf("%s %v: %v", name, args, err)
	}
	m := watch(cmd)
	err := cmd.Wait()
	m.ended()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("%s %v: %v", name, args, err)
	}
	g.peak = m.peak.Load()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// within makes a command run in a network namespace.
func within(namespace, name string, args []string) (string, []string) {
	if namespace == "" {
		return name, args
	}
	return "ip", append([]string{"netns", "exec", namespace, name}, args...)
}

// must runs a program that has to end well.
func (g *rig) must(name string, args ...string) string {
	g.t.Helper()
	out, errs, code := g.run(name, args...)
	if code != 0 {
		g.t.Fatalf("%s %v ended with %d:\n%s%s", name, args, code, out, errs)
	}
	return out
}

// startReceiver starts weir-recv run and waits until it listens.
func (g *rig) startReceiver(args ...string) {
	g.t.Helper()
	name, all := within(g.recvNS, filepath.Join(bin, "weir-recv"), append([]string{"run", "--config", g.path("receiver.toml")}, args...))
	g.recv = g.start(name, all...)
	g.waitLog(g.recv, `"event":"started"`)
}

func (g *rig) start(name string, args ...string) *process {
	g.t.Helper()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	p.memory = watch(p.cmd)
	go func() {
		p.cmd.Wait()
		p.memory.ended()
		close(p.done)
	}()
	g.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (g *rig) waitLog(p *process, text string) {
	g.t.Helper()
	g.wait(func() bool { return strings.Contains(p.log(), text) }, func() string { return text + " in:\n" + p.log() })
}

func (g *rig) wait(ok func() bool, what func() string) {
	g.t.Helper()
	for end := time.Now().Add(g.patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("waited in vain for %s", what())
		}
	}
}

// stop ends a process in good order and returns its exit code.
func (g *rig) stop(p *process) int {
	g.t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	return g.ended(p)
}

func (g *rig) ended(p *process) int {
	g.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(g.patience):
		g.t.Fatalf("%v does not end:\n%s", p.cmd.Args, p.log())
		return -1
	}
}

// sender pairs a new sender whose frames go to the address.
func (g *rig) sender(name, to, rate string, args ...string) {
	g.t.Helper()
	pub := g.must("weir-send", append([]string{"init", "--name", name, "--to", to, "--receiver", "@" + g.path("receiver.pub"),
		"--rate", rate, "--config", g.path(name + ".toml")}, args...)...)
	g.must("weir-recv", "trust", name, strings.TrimSpace(pub), "--config", g.path("receiver.toml"))
}

// gigabit pairs a sender for a link of 1 Gbit/s. Where the system gives small
// receive buffers it takes five times as long, over the same blocks.
func (g *rig) gigabit(name, to string) {
	g.t.Helper()
	room, err := relay.Room()
	if err != nil {
		g.t.Fatal(err)
	}
	if room >= relay.Roomy {
		g.sender(name, to, "1Gbit")
		return
	}
	g.t.Logf("at 200 Mbit/s, as this system gives receive buffers of %d bytes only", room)
	g.sender(name, to, "200Mbit")
	g.edit(g.path(name+".toml"), `burst = "25ms"`, `burst = "125ms"`)
}

// push sends a path and expects the exit code.
func (g *rig) push(name, source string, code int, paths ...string) string {
	g.t.Helper()
	out, errs, got := g.run("weir-send", append([]string{"push", "--config", g.path(name + ".toml"), "--source", source}, paths...)...)
	if got != code {
		g.t.Fatalf("push ended with %d, want %d:\n%s%s", got, code, out, errs)
	}
	return out + errs
}

// link puts a lossy relay before the receiver.
func (g *rig) link(f relay.Faults) *relay.Relay {
	g.t.Helper()
	r, err := relay.Start(netip.MustParseAddrPort(g.listen), f)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			g.t.Error(err)
		}
		if n := r.Counts().Returned; n != 0 {
			g.t.Errorf("%d bytes came back over the link", n)
		}
	})
	return r
}

// point is a snapshot as `list --json` tells of it.
type point struct {
	Name, Sender, Source, State string
	Number                      uint64
	Files, Bytes                int64
	MissingFiles                int64 `json:"missing_files"`
	MissingBytes                int64 `json:"missing_bytes"`
	Problems                    int64
}

func (g *rig) list() []point {
	g.t.Helper()
	var all []point
	if err := json.Unmarshal([]byte(g.must("weir-vault", "list", "--json", "--vault", g.path("vault"))), &all); err != nil {
		g.t.Fatal(err)
	}
	return all
}

// whole counts the whole restore points.
func (g *rig) whole() (n int) {
	g.t.Helper()
	for _, p := range g.list() {
		if p.State == "whole" {
			n++
		}
	}
	return n
}

// waitWhole waits until there are n whole restore points.
func (g *rig) waitWhole(n int) {
	g.t.Helper()
	g.wait(func() bool { return g.whole() >= n }, func() string {
		return fmt.Sprintf("%d whole restore points, there are %+v\n%s", n, g.list(), g.recv.log())
	})
}

// check verifies, restores and compares a snapshot with its source.
func (g *rig) check(ref, src string) {
	g.t.Helper()
	g.must("weir-vault", "verify", ref, "--vault", g.path("vault"))
	dest := filepath.Join(tempDir(g.t), "restored")
	g.must("weir-vault", "restore", ref, dest, "--vault", g.path("vault"))
	if _, err := specimen.Compare(src, dest); err != nil {
		g.t.Fatalf("what was restored differs: %v", err)
	}
}

// edit replaces text in a file that has it.
func (g *rig) edit(path, from, to string) {
	g.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(from)) {
		g.t.Fatalf("%s does not hold %s:\n%s", path, from, data)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// write makes a file of n bytes that cannot be compressed.
func write(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree makes a source with one large file and many small ones.
func (g *rig) tree(name string, large, small int) string {
	g.t.Helper()
	dir := g.path(name)
	write(g.t, filepath.Join(dir, "large"), large)
	for i := range small {
		write(g.t, filepath.Join(dir, "small", fmt.Sprint(i)), 100+i)
	}
	return dir
}
