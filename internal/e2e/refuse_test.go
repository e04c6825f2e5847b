package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestClearRefusals holds the exit code of each mistake and that its error says
// what to do.
func TestClearRefusals(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	g.startReceiver()
	for name, line := range map[string]string{"expert": "k = 240\nm = 20\ndepth = 10\n", "symbol": "symbol = 8896\n", "unknown": "speed = 3\n", "unit": ""} {
		g.variant("prod.toml", name+".toml", line)
	}
	g.edit(g.path("unit.toml"), `rate = "100Mbit"`, `rate = "100 MB/s"`)
	g.variant("prod.toml", "zero.toml", "")
	g.edit(g.path("zero.toml"), `rate = "100Mbit"`, `rate = "0"`)
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"port in use", []string{"weir-recv", "init", "--vault", g.path("v2"), "--listen", g.listen, "--config", g.path("r2.toml")}, 0, ""},
		{"port in use", []string{"weir-recv", "run", "--config", g.path("r2.toml")}, 1, "end the program that holds it"},
		{"vault in use", []string{"weir-recv", "run", "--config", g.path("receiver.toml")}, 1, "another process holds the vault"},
		{"rate zero", []string{"weir-send", "init", "--name", "x", "--to", g.listen, "--receiver", "@" + g.path("receiver.pub"), "--rate", "0Mbit", "--config", g.path("x.toml")}, 2, "rate"},
		{"k + m > 256", []string{"weir-send", "push", "--source", "x", g.dir, "--config", g.path("expert.toml")}, 2, "256"},
		{"symbol and MTU", []string{"weir-send", "push", "--source", "x", g.dir, "--config", g.path("symbol.toml")}, 2, "write 1408 or less"},
		{"unknown key", []string{"weir-send", "push", "--source", "x", g.dir, "--config", g.path("unknown.toml")}, 2, "speed"},
		{"bad unit", []string{"weir-send", "run", "--config", g.path("unit.toml")}, 2, "Mbit"},
		{"rate zero in the file", []string{"weir-send", "run", "--config", g.path("zero.toml")}, 2, "rate"},
		{"key twice", []string{"weir-send", "init", "--name", "prod", "--to", g.listen, "--receiver", "@" + g.path("receiver.pub"), "--rate", "1Mbit", "--config", g.path("prod.toml")}, 1, "prod.toml"},
		{"mistyped key", []string{"weir-recv", "trust", "y", "weir-send-1AAAA", "--config", g.path("receiver.toml")}, 2, "key"},
		{"no such snapshot", []string{"weir-vault", "restore", "prod/none/latest", g.path("d"), "--vault", g.path("vault")}, 1, "no whole snapshot"},
		{"no vault", []string{"weir-vault", "list", "--vault", g.path("nowhere")}, 1, "--vault"},
		{"no source", []string{"weir-send", "push", g.dir, "--config", g.path("prod.toml")}, 2, "source"},
		{"bad source", []string{"weir-send", "push", "--source", "../x", g.dir, "--config", g.path("prod.toml")}, 2, "source"},
		{"two of one name", []string{"weir-send", "push", "--source", "x", g.path("a/n"), g.path("b/n"), "--config", g.path("prod.toml")}, 2, "two sources"},
		{"stream without a name", []string{"weir-send", "push", "--source", "x", "-", "--config", g.path("prod.toml")}, 2, "--as"},
		{"unknown flag", []string{"weir-vault", "list", "--wrong"}, 2, "unknown flag"},
		{"verify what", []string{"weir-vault", "verify", "--vault", g.path("vault")}, 2, "--all"},
	} {
		write(t, g.path("a/n"), 1)
		write(t, g.path("b/n"), 1)
		_, errs, code := g.run(c.args[0], c.args[1:]...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s: ended with %d, want %d with %q:\n%s", c.name, code, c.code, c.says, errs)
		}
	}
}

// variant copies a configuration and puts lines in front.
func (g *rig) variant(from, to, lines string) {
	g.t.Helper()
	data, err := os.ReadFile(g.path(from))
	if err != nil {
		g.t.Fatal(err)
	}
	text := string(data)
	if strings.HasPrefix(lines, "k =") {
		text = strings.NewReplacer("\noverhead =", "\n# overhead =", "\nburst =", "\n# burst =").Replace(text)
	}
	if err := os.WriteFile(g.path(to), []byte(lines+text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// TestStrangersAreRefusedWithWords sends with a key that nobody trusts, and with the key of
// another receiver.
func TestStrangersAreRefusedWithWords(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	toml := g.path("receiver.toml")
	data, err := os.ReadFile(toml)
	if err != nil {
		t.Fatal(err)
	}
	g.must("weir-send", "init", "--name", "stranger", "--to", g.listen, "--receiver", "@"+g.path("receiver.pub"), "--rate", "100Mbit", "--config", g.path("stranger.toml"))
	g.must("weir-recv", "init", "--vault", g.path("v2"), "--listen", "127.0.0.1:9", "--config", g.path("other.toml"))
	pub := g.must("weir-recv", "key", "--config", g.path("other.toml"))
	if err := os.WriteFile(g.path("receiver.pub"), []byte(pub), 0o644); err != nil {
		t.Fatal(err)
	}
	g.sender("misled", g.listen, "100Mbit")
	if now, _ := os.ReadFile(toml); len(now) <= len(data) {
		t.Fatal("trust added nothing")
	}
	g.startReceiver()
	src := g.tree("src", 1e5, 3)
	g.push("stranger", "etc", 0, src)
	g.push("misled", "etc", 0, src)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	for _, words := range []string{"weir-recv trust", "weir-recv key"} {
		if !strings.Contains(g.recv.log(), words) {
			t.Errorf("the log does not say %q:\n%s", words, g.recv.log())
		}
	}
	if all := g.list(); len(all) != 1 {
		t.Errorf("strangers' snapshots are listed: %+v", all)
	}
}

// TestFullDisk keeps a reserve that is larger than the disk: nothing is stored,
// nothing breaks, and when there is room the next push completes.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	src := g.tree("src", 3e6, 20)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.stop(g.recv)
	g.edit(g.path("receiver.toml"), `min_free = "64MiB"`, `min_free = "100%"`)
	g.startReceiver()
	other := g.tree("other", 2e6, 10)
	g.push("prod", "home", 0, other)
	g.waitLog(g.recv, `"event":"disk-full"`)
	g.check("prod/etc/latest", src)
	g.stop(g.recv)
	g.edit(g.path("receiver.toml"), `min_free = "100%"`, `min_free = "64MiB"`)
	g.startReceiver()
	g.push("prod", "home", 0, other)
	g.wait(func() bool {
		for _, p := range g.list() {
			if p.Source == "home" && p.State == "whole" {
				return true
			}
		}
		return false
	}, func() string { return "home to become whole:\n" + g.recv.log() })
	g.check("prod/home/latest", other)
}
