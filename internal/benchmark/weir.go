package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"weir/internal/config"
)

// programs builds weir-send, weir-recv and the weir-recv that loses frames.
func programs(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"-o", dir + "/", "weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault"},
		{"-tags", "lossy", "-o", filepath.Join(dir, "weir-recv-lossy"), "weir/cmd/weir-recv"},
	} {
		out, err := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false"}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("building the programs: %w\n%s", err, out)
		}
	}
	return nil
}

// pair is a weir receiver and a sender that trust each other.
type pair struct {
	*bench
	dir string
}

// newPair makes them, with an empty vault.
func (b *bench) newPair(ctx context.Context, dir string, s setup) (*pair, error) {
	p := &pair{bench: b, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	pub, err := p.tool(ctx, "weir-recv", "init", "--vault", p.path("vault"), "--listen", recvAddr+":4600", "--config", p.path("receiver.toml"))
	if err != nil {
		return nil, err
	}
	args := []string{"init", "--name", "prod", "--to", recvAddr + ":4600", "--receiver", pub, "--rate", b.rate.String(),
		"--mtu", fmt.Sprint(s.mtu), "--burst", b.opt.burst.String(), "--overhead", b.parity(s.loss).String(), "--config", p.path("sender.toml")}
	if pub, err = p.tool(ctx, "weir-send", args...); err != nil {
		return nil, err
	}
	if err := p.set("sender.toml", "burst_bytes", b.opt.train.String()); err != nil {
		return nil, err
	}
	_, err = p.tool(ctx, "weir-recv", "trust", "prod", pub, "--config", p.path("receiver.toml"))
	return p, err
}

func (p *pair) path(name string) string { return filepath.Join(p.dir, name) }

// set changes a value in a configuration.
func (p *pair) set(file, key, value string) error {
	text, err := os.ReadFile(p.path(file))
	if err != nil {
		return err
	}
	line := regexp.MustCompile(`(?m)^` + key + ` = .*$`)
	if !line.Match(text) {
		return fmt.Errorf("%s has no %s", file, key)
	}
	return os.WriteFile(p.path(file), line.ReplaceAll(text, fmt.Appendf(nil, "%s = %q", key, value)), 0o600)
}

// tool runs one of the programs to its end and returns what it printed.
func (p *pair) tool(ctx context.Context, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// push sends path and waits until it is published and both ends have stopped.
func (p *pair) push(ctx context.Context, s setup, path string) (o outcome, err error) {
	receiver := "weir-recv"
	if s.loss > 0 {
		receiver = "weir-recv-lossy"
	}
	recv, err := start(ctx, p.hosts.recv, p.cpu(1), "env", fmt.Sprintf("WEIR_LOSS=%g", s.loss/100), filepath.Join(p.bin, receiver),
		"run", "--config", p.path("receiver.toml"), "--exit-after", "1", "--exit-idle", "10s")
	if err != nil {
		return o, err
	}
	if _, err := recv.await(ctx, `"event":"started"`); err != nil {
		return o, err
	}
	begun := time.Now()
	send, err := start(ctx, p.hosts.send, p.cpu(0), filepath.Join(p.bin, "weir-send"),
		"push", "--config", p.path("sender.toml"), "--source", "etc", path)
	if err != nil {
		return o, err
	}
	if o.send, err = send.wait(); err != nil {
		return o, err
	}
	o.sent = time.Since(begun)
	if o.recv, err = recv.wait(); err != nil {
		return o, err
	}
	published, _, ok := recv.find(`"event":"snapshot-whole"`)
	if !ok {
		return o, fmt.Errorf("it was not published: %s", recv.log())
	}
	o.took = published.Sub(begun)
	return o, nil
}

// Parity of 10 % cannot heal a loss of 5 %.
const (
	heavyLoss   = 5 // percent
	heavyParity = config.Percent(25)
)

// parity returns the overhead for a loss in percent.
func (b *bench) parity(loss float64) config.Percent {
	if loss >= heavyLoss {
		return max(b.opt.overhead, heavyParity)
	}
	return b.opt.overhead
}

// weir measures weir: a push of the file, until it is published.
func (b *bench) weir(ctx context.Context, s setup) (outcome, error) {
	dir := b.place.path("weir")
	defer os.RemoveAll(dir)
	p, err := b.newPair(ctx, dir, s)
	if err != nil {
		return outcome{}, err
	}
	if s.tool == "lanes" {
		if err := p.overTwo(); err != nil {
			return outcome{}, err
		}
	}
	o, err := p.push(ctx, s, b.file)
	o.bytes = int64(b.opt.size)
	return o, err
}

// overTwo makes the pair use two links, each for half of every block.
func (p *pair) overTwo() error {
	for file, key := range map[string]string{"sender.toml": "to", "receiver.toml": "listen"} {
		text, err := os.ReadFile(p.path(file))
		if err != nil {
			return err
		}
		text = regexp.MustCompile(`(?m)^`+key+` = .*$`).ReplaceAll(text, nil)
		for _, address := range []string{recvAddr, second.recvAddr} {
			text = fmt.Appendf(text, "[[lane]]\n%s = \"%s:4600\"\n", key, address)
		}
		if err := os.WriteFile(p.path(file), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
