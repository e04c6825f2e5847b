package powercut

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/relay"
)

// patience bounds every wait for a program. A long run may be stopped for minutes,
// to make room for others.
var patience = func() time.Duration {
	if os.Getenv("WEIR_LONG") != "" {
		return 15 * time.Minute
	}
	return time.Minute
}()

// pointed is weir-recv built so that it tells of the named points that it passes.
// weir-recv itself is the one that is shipped.
const pointed = "weir-recv-pointed"

var built struct {
	once sync.Once
	dir  string
	err  error
}

// programs returns the directory of the real programs.
func programs(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "weir-programs-"); built.err != nil {
			return
		}
		for _, args := range [][]string{
			{"-o", built.dir + "/", "weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault"},
			{"-tags", "failpoints", "-o", filepath.Join(built.dir, pointed), "weir/cmd/weir-recv"},
		} {
			out, err := exec.Command("go", append([]string{"build", "-buildvcs=false"}, args...)...).CombinedOutput()
			if err != nil {
				built.err = fmt.Errorf("building the programs: %w\n%s", err, out)
				return
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func removePrograms() {
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}

// host is a vault host with the real weir-recv, and a sender behind a link that
// loses. Its methods return errors where a cut or a kill may be to blame.
type host struct {
	t     *testing.T
	bin   string
	dir   string // keys, configurations, the sender's state
	vault string
	boot  string // a file that stands in for the id of this run of the system; "" for the system's own
	link  *relay.Relay
	lossy *atomic.Int32         // one of so many frames begins an outage; 0: nothing is lost
	sent  *sync.Map             // the latest snapshot of each source: what push said of it
	start func(*exec.Cmd) error // of programs that the vault's host runs; nil for the usual way
}

// newHost pairs a receiver with a vault in the directory disk and a sender.
func newHost(t *testing.T, disk string, seed uint64, settings ...string) *host {
	t.Helper()
	h := &host{t: t, bin: programs(t), dir: tempDir(t), vault: filepath.Join(disk, "vault"), lossy: &atomic.Int32{}, sent: &sync.Map{}}
	listen := freePort(t)
	h.connect(listen, seed)
	pub := h.must("weir-recv", "init", "--vault", h.vault, "--listen", listen, "--config", h.file("receiver.toml"))
	if err := os.WriteFile(h.file("receiver.pub"), []byte(pub), 0o644); err != nil {
		t.Fatal(err)
	}
	h.edit("receiver.toml", `min_free = "1GiB"`, `min_free = "1MiB"`)
	h.edit("receiver.toml", `state = "receiver.state"`, fmt.Sprintf("state = %q", filepath.Join(disk, "receiver.state")))
	h.edit("receiver.toml", `status_every = "5s"`, `status_every = "1s"`)
	for i := 0; i+1 < len(settings); i += 2 {
		h.edit("receiver.toml", settings[i], settings[i+1])
	}
	key := h.must("weir-send", "init", "--name", sender, "--to", h.link.Addr().String(), "--receiver", "@"+h.file("receiver.pub"),
		"--rate", "200Mbit", "--config", h.file("prod.toml"))
	h.edit("prod.toml", "history = 64", fmt.Sprint("history = ", everPushed)) // each is asked for again
	h.must("weir-recv", "trust", sender, strings.TrimSpace(key), "--config", h.file("receiver.toml"))
	return h
}

// everPushed is more snapshots of a source than any run pushes.
const everPushed = 2000

// Loss of a link that loses: at random, and in outages that parity does not bridge.
const (
	lossAtRandom = 0.003
	outageEvery  = 4000 // frames
	outageOften  = 400  // frames
	outageMost   = 700  // frames
)

// connect puts the link before the receiver.
func (h *host) connect(listen string, seed uint64) {
	h.t.Helper()
	rng, out := rand.New(rand.NewPCG(seed, 5)), 0
	link, err := relay.Start(netip.MustParseAddrPort(listen), relay.Faults{Drop: func(uint64, []byte) bool {
		every := int(h.lossy.Load())
		if every == 0 {
			out = 0
			return false
		}
		if out--; out > 0 {
			return true
		}
		if rng.IntN(every) == 0 {
			out = rng.IntN(outageMost)
		}
		return rng.Float64() < lossAtRandom
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.link = link
	h.t.Cleanup(func() { link.Close() })
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

func (h *host) file(name string) string { return filepath.Join(h.dir, name) }

// edit replaces text in a configuration that has it.
func (h *host) edit(name, from, to string) {
	h.t.Helper()
	data, err := os.ReadFile(h.file(name))
	if err == nil && !bytes.Contains(data, []byte(from)) {
		err = fmt.Errorf("%s does not hold %s", name, from)
	}
	if err == nil {
		err = os.WriteFile(h.file(name), bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// command is a program of this host. After a cut it runs as after a new start of
// the system.
func (h *host) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	path := filepath.Join(h.bin, program)
	if h.boot == "" {
		return exec.CommandContext(ctx, path, args...)
	}
	const script = `mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"`
	return exec.CommandContext(ctx, "unshare", append([]string{"-m", "sh", "-c", script, h.boot, path}, args...)...)
}

// starts starts a program; one of the vault's host in the host's way.
func (h *host) starts(program string, cmd *exec.Cmd) error {
	if h.start == nil || program == "weir-send" {
		return cmd.Start()
	}
	return h.start(cmd)
}

// run runs a program to its end and returns what it printed and its exit code.
func (h *host) run(program string, args ...string) (out, errs string, code int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := h.command(ctx, program, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := h.starts(program, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil && cmd.ProcessState == nil {
		return "", err.Error(), -1
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// try is run for a program that has to end well.
func (h *host) try(program string, args ...string) (string, error) {
	out, errs, code := h.run(program, args...)
	if code != 0 {
		return "", fmt.Errorf("%s %v ended with %d:\n%s%s", program, args, code, out, errs)
	}
	return out, nil
}

func (h *host) must(program string, args ...string) string {
	h.t.Helper()
	out, err := h.try(program, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// push sends a directory as a snapshot of a source.
func (h *host) push(source, dir string, flags ...string) error {
	said, err := h.try("weir-send", append(append([]string{"push", "--config", h.file("prod.toml"), "--source", source}, flags...), dir)...)
	if err == nil {
		h.sent.Store(source, said)
	}
	return err
}

// unseen returns the sources of whose latest snapshot nothing has come: it may be on
// its way still.
func (h *host) unseen(all []listed) (sources []string) {
	h.sent.Range(func(source, said any) bool {
		if !slices.ContainsFunc(all, func(l listed) bool { return strings.Contains(said.(string), l.ref()) }) {
			sources = append(sources, source.(string))
		}
		return true
	})
	return sources
}

// listed is a snapshot as `weir-vault list --json` tells of it.
type listed struct{ Name, Sender, Source, State string }

func (l listed) ref() string { return l.Sender + "/" + l.Source + "/" + l.Name }

// list returns what `weir-vault list` tells, nothing before there is a vault.
func (h *host) list() (all []listed, err error) {
	if _, err := os.Stat(filepath.Join(h.vault, ".weir", "objects")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	out, err := h.try("weir-vault", "list", "--json", "--vault", h.vault)
	if err == nil {
		err = json.Unmarshal([]byte(out), &all)
	}
	return all, err
}

// receiver is a weir-recv that runs.
type receiver struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all of its log was read
	said bytes.Buffer  // to be read after done, or under mu
	mu   sync.Mutex
	up   chan struct{}
}

func (r *receiver) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// begin starts weir-recv. line is called for each line of its log; if passed is not
// nil it is called for each named point while the receiver waits there.
func (h *host) begin(line func(string), passed func(point string)) (*receiver, error) {
	program := "weir-recv"
	if passed != nil {
		program = pointed
	}
	r := &receiver{done: make(chan struct{}), up: make(chan struct{})}
	r.cmd = h.command(context.Background(), program, "run", "--config", h.file("receiver.toml"))
	errs, err := r.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	var wait sync.WaitGroup
	if passed != nil {
		if err := r.follow(&wait, passed); err != nil {
			return nil, err
		}
	}
	if err := h.starts(program, r.cmd); err != nil {
		return nil, err
	}
	for _, f := range r.cmd.ExtraFiles {
		f.Close()
	}
	wait.Add(1)
	go func() { defer wait.Done(); r.read(errs, line) }()
	go func() { wait.Wait(); r.cmd.Wait(); close(r.done) }()
	h.t.Cleanup(func() { r.cmd.Process.Kill(); <-r.done })
	return r, nil
}

// follow calls passed for each point that the program tells of, then lets it go on.
func (r *receiver) follow(wait *sync.WaitGroup, passed func(string)) error {
	told, tells, err := os.Pipe()
	if err != nil {
		return err
	}
	waits, goOn, err := os.Pipe()
	if err != nil {
		return err
	}
	r.cmd.Env = append(os.Environ(), "WEIR_POINTS=1")
	r.cmd.ExtraFiles = []*os.File{tells, waits}
	wait.Add(1)
	go func() {
		defer wait.Done()
		defer told.Close()
		defer goOn.Close()
		for lines := bufio.NewScanner(told); lines.Scan(); {
			passed(lines.Text())
			goOn.Write([]byte{'\n'})
		}
	}()
	return nil
}

func (r *receiver) read(errs io.Reader, line func(string)) {
	lines := bufio.NewScanner(errs)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.mu.Lock()
		r.said.Write(append(lines.Bytes(), '\n'))
		r.mu.Unlock()
		if line != nil {
			line(lines.Text())
		}
		if strings.Contains(lines.Text(), `"event":"started"`) {
			close(r.up)
		}
	}
}

// ready waits until the receiver receives.
func (r *receiver) ready() error {
	select {
	case <-r.up:
		return nil
	case <-r.done:
	case <-time.After(patience):
	}
	return fmt.Errorf("weir-recv does not start:\n%s", r.log())
}

// stop ends the receiver in good order.
func (r *receiver) stop() error {
	r.cmd.Process.Signal(os.Interrupt)
	select {
	case <-r.done:
	case <-time.After(patience):
		return fmt.Errorf("weir-recv does not end:\n%s", r.log())
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("weir-recv ended with %d:\n%s", code, r.log())
	}
	return nil
}

// wholeIn returns the restore point that a line of the log reports as whole, or "".
func wholeIn(line string) string {
	var l struct{ Event, Snapshot string }
	if json.Unmarshal([]byte(line), &l) != nil || l.Event != "snapshot-whole" {
		return ""
	}
	return l.Snapshot
}
