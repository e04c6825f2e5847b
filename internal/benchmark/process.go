package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds every run.
const patience = 100 * time.Second

// process is a program in a namespace. What it says is kept line by line with the
// time at which it said it.
type process struct {
	cmd  *exec.Cmd
	out  *io.PipeWriter
	mu   sync.Mutex
	said []said
	more chan struct{} // has room for one
	done chan struct{} // closed when everything it said was read
}

type said struct {
	at   time.Time
	line string
}

// start starts a program; cpu < 0 leaves it on any.
func start(ctx context.Context, namespace string, cpu int, name string, args ...string) (*process, error) {
	words := append([]string{"netns", "exec", namespace, name}, args...)
	if cpu >= 0 {
		words = append([]string{"netns", "exec", namespace, "taskset", "-c", fmt.Sprint(cpu), name}, args...)
	}
	return launch(exec.CommandContext(ctx, "ip", words...))
}

func launch(cmd *exec.Cmd) (*process, error) {
	r, w := io.Pipe()
	p := &process{cmd: cmd, out: w, more: make(chan struct{}, 1), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", strings.Join(cmd.Args, " "), err)
	}
	go p.read(r)
	return p, nil
}

func (p *process) read(r io.Reader) {
	defer close(p.done)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	lines.Split(splitLine)
	for lines.Scan() {
		p.mu.Lock()
		p.said = append(p.said, said{time.Now(), lines.Text()})
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

// splitLine cuts at carriage returns too: udpcast shows its progress on one line.
func splitLine(data []byte, atEnd bool) (advance int, line []byte, err error) {
	switch i := bytes.IndexAny(data, "\r\n"); {
	case i >= 0:
		return i + 1, data[:i], nil
	case atEnd && len(data) > 0:
		return len(data), data, nil
	}
	return 0, nil, nil
}

// find returns when the process said a line that has the text in it.
func (p *process) find(text string) (time.Time, string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.said {
		if strings.Contains(s.line, text) {
			return s.at, s.line, true
		}
	}
	return time.Time{}, "", false
}

// await waits for such a line.
func (p *process) await(ctx context.Context, text string) (time.Time, error) {
	for {
		if at, _, ok := p.find(text); ok {
			return at, nil
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("waited in vain for %q: %s", text, p.log())
		}
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	for _, s := range p.said[max(0, len(p.said)-20):] {
		b.WriteString(s.line + "\n")
	}
	return b.String()
}

// usage is what a program has cost.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // resident bytes, at most
}

// wait waits until the program has ended and all that it said was read.
func (p *process) wait() (usage, error) {
	err := p.cmd.Wait()
	p.out.Close()
	<-p.done
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(p.cmd.Args, " "), err, p.log())
	}
	return p.usage(), err
}

func (p *process) usage() (u usage) {
	state := p.cmd.ProcessState
	if state == nil {
		return u
	}
	u.cpu = state.UserTime() + state.SystemTime()
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss << 10
	}
	return u
}

// end interrupts the program and waits for it.
func (p *process) end() (usage, error) {
	_ = p.cmd.Process.Signal(syscall.SIGINT) // it may have ended by itself
	return p.wait()
}
