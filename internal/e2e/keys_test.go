package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var fingerprint = regexp.MustCompile(`fingerprint ([a-z2-7]{4}(?:-[a-z2-7]{4}){3})`)

// recvCmd runs a command of weir-recv beside the one that runs, and expects its exit
// code.
func (g *rig) recvCmd(code int, args ...string) string {
	g.t.Helper()
	out, errs, got := g.run("weir-recv", append(args, "--config", g.path("receiver.toml"))...)
	if got != code {
		g.t.Fatalf("weir-recv %v ended with %d, want %d:\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

func (g *rig) sendCmd(name string, code int, args ...string) string {
	g.t.Helper()
	out, errs, got := g.run("weir-send", append(args, "--config", g.path(name+".toml"))...)
	if got != code {
		g.t.Fatalf("weir-send %v ended with %d, want %d:\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

// service starts weir-send run.
func (g *rig) service(name string) *process {
	g.t.Helper()
	p := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path(name+".toml"))
	g.waitLog(p, `"event":"started"`)
	return p
}

func printOf(t *testing.T, text string) string {
	t.Helper()
	m := fingerprint.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no fingerprint in:\n%s", text)
	}
	return m[1]
}

// TestKeyRotation changes a sender's signing key while both services run, and
// revokes the old one in the end. No snapshot is lost on the way, and each verifies
// with ssh-keygen alone.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	g.edit(g.path("prod.toml"), `heartbeat = "10s"`, `heartbeat = "200ms"`)
	g.startReceiver()
	g.service("prod")
	old := printOf(t, strings.ToLower(g.sendCmd("prod", 0, "key")))
	src := g.tree("src", 300_000, 5)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)

	next := printOf(t, g.sendCmd("prod", 0, "rotate-key"))
	if again := printOf(t, g.sendCmd("prod", 0, "rotate-key")); again != next || next == old {
		t.Fatalf("fingerprints %s, %s, before %s", next, again, old)
	}
	g.waitLog(g.recv, `"event":"key-offered"`)
	if log := g.recv.log(); !strings.Contains(log, "weir-recv trust prod --offered "+next) {
		t.Fatalf("the log does not say the command:\n%s", log)
	}
	if all := g.recvCmd(0, "senders"); !strings.Contains(all, next+"  offered since") || !strings.Contains(all, old+"  trusted") {
		t.Errorf("senders:\n%s", all)
	}
	// While nobody accepts it, and while both are good, the old one signs.
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	g.recvCmd(1, "trust", "prod", "--offered", "aaaa-aaaa-aaaa-aaaa")
	g.recvCmd(0, "trust", "prod", "--offered", next)
	g.push("prod", "etc", 0, src)
	g.waitWhole(3)
	g.sendCmd("prod", 2, "rotate-key", "--switch", "aaaa-aaaa-aaaa-aaaa")
	g.sendCmd("prod", 0, "rotate-key", "--switch", next)
	g.sendCmd("prod", 0, "rotate-key", "--switch", next) // twice does no harm
	g.push("prod", "etc", 0, src)
	g.waitWhole(4)

	g.recvCmd(0, "revoke", "prod", old)
	g.push("prod", "etc", 0, src)
	g.waitWhole(5)
	g.sendCmd("prod", 0, "rotate-key", "--retire")
	g.checkRotated(old, next)
	g.stop(g.recv)
	g.startReceiver() // what was decided lasts
	g.push("prod", "etc", 0, src)
	g.waitWhole(6)
	g.check("prod/etc/latest", src)
}

// TestChangedOverTooEarly lets a sender sign with its new key before anybody has
// accepted it: the receiver's log says which key that is and how to accept it.
func TestChangedOverTooEarly(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	g.edit(g.path("prod.toml"), `heartbeat = "10s"`, `heartbeat = "200ms"`)
	g.startReceiver()
	g.service("prod")
	next := printOf(t, g.sendCmd("prod", 0, "rotate-key"))
	g.waitLog(g.recv, `"event":"key-offered"`)
	g.sendCmd("prod", 0, "rotate-key", "--switch", next)
	src := g.tree("src", 100_000, 2)
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"announce-refused"`)
	accept := "weir-recv trust prod --offered " + next
	for line := range strings.Lines(g.recv.log()) {
		if strings.Contains(line, "announce-refused") && !strings.Contains(line, accept) {
			t.Errorf("the refusal does not say how to accept the key:\n%s", line)
		}
	}
	g.recvCmd(0, "trust", "prod", "--offered", next)
	// What leaves before the next announce is of a session that nobody has opened yet.
	g.wait(func() bool { return strings.Count(g.recv.log(), `"event":"session-open"`) == 2 }, g.recv.log)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
}

// checkRotated looks at what the vault says of restore points by both keys.
func (g *rig) checkRotated(old, next string) {
	g.t.Helper()
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))
	for n, key := range map[string]string{"1": old, "3": old, "4": next} {
		text := g.must("weir-vault", "show", "prod/etc@"+n, "--vault", g.path("vault"))
		if revoked := strings.Contains(text, "revoked at"); !strings.Contains(text, key) || revoked != (key == old) {
			g.t.Errorf("show @%s:\n%s", n, text)
		}
	}
	list := g.must("weir-vault", "list", "--vault", g.path("vault"))
	if n := strings.Count(list, "signer revoked"); n != 3 {
		g.t.Errorf("%d of 5 are listed as signed by a revoked key:\n%s", n, list)
	}
	events := g.vault(0, "events")
	for _, name := range []string{"key-offered", "key-trusted", "key-revoked"} {
		if !strings.Contains(events, name) {
			g.t.Errorf("the event log lacks %s:\n%s", name, events)
		}
	}
	g.vault(0, "events", "--verify")
	g.plainVerify()
}

// plainVerify checks every restore point with ssh-keygen alone, and that its
// revocation list knows the old key.
func (g *rig) plainVerify() {
	g.t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("WEIR_NETNS") != "" {
			g.t.Fatal(err)
		}
		g.t.Log("what ssh-keygen says was not looked at: it is not installed")
		return
	}
	revoked := 0
	points, _ := filepath.Glob(g.path("vault", "prod", "etc", "*"))
	for _, dir := range points {
		verify := func(extra ...string) error {
			manifest, err := os.Open(filepath.Join(dir, "manifest.jsonl"))
			if err != nil {
				g.t.Fatal(err)
			}
			defer manifest.Close()
			cmd := exec.Command("ssh-keygen", append([]string{"-Y", "verify", "-f", "../../../.weir/allowed_signers", "-I", "prod", "-n", "weir-manifest", "-s", "manifest.sig"}, extra...)...)
			cmd.Dir, cmd.Stdin = dir, manifest
			return cmd.Run()
		}
		if err := verify(); err != nil {
			g.t.Errorf("%s: ssh-keygen: %v", dir, err)
		}
		if verify("-r", "../../../.weir/revoked_keys") != nil {
			revoked++
		}
	}
	if len(points) != 5 || revoked != 3 {
		g.t.Errorf("%d restore points, %d by a revoked key", len(points), revoked)
	}
}

// TestRevocation revokes the only key of a sender in the midst of a push: what is
// stored stays, what comes is dropped, what was half there is not published, until
// the sender, with a new key that came by hand, sends it again.
func TestRevocation(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	g.startReceiver()
	old := printOf(t, strings.ToLower(g.sendCmd("prod", 0, "key")))
	src := g.tree("src", 300_000, 5)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	if said := g.recvCmd(0, "revoke", "prod", old); !strings.Contains(said, `No key of "prod" is left`) {
		t.Errorf("revoke says:\n%s", said)
	}
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, "its key is revoked here")
	time.Sleep(1500 * time.Millisecond)
	if n := len(g.list()); n != 1 {
		t.Fatalf("%d snapshots are listed, the second was signed by a revoked key", n)
	}
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))
	g.recvCmd(1, "trust", "prod", strings.TrimSpace(g.must("weir-send", "key", "--config", g.path("prod.toml"))))

	// The sender gets a new key, without the vault's knowing of it over the link.
	next := printOf(t, g.sendCmd("prod", 0, "rotate-key"))
	g.sendCmd("prod", 0, "rotate-key", "--switch", next)
	g.recvCmd(0, "trust", "prod", strings.TrimSpace(g.must("weir-send", "key", "--config", g.path("prod.toml"))))
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	g.check("prod/etc/latest", src)
}

// TestReceiverKeyRotation changes the receiver's key with two senders, of which one
// changes over later. Nothing is lost.
func TestReceiverKeyRotation(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("early", g.listen, "200Mbit")
	g.sender("late", g.listen, "200Mbit")
	g.startReceiver()
	src := g.tree("src", 200_000, 3)
	whole := 0
	push := func(names ...string) {
		t.Helper()
		for _, name := range names {
			g.push(name, "etc", 0, src)
			whole++
			g.waitWhole(whole)
		}
	}
	g.service("early") // goes by the new key without being started anew
	push("early", "late")
	pub, said, code := g.run("weir-recv", "rotate-key", "--config", g.path("receiver.toml"))
	if code != 0 || !strings.Contains(said, "The weir-recv that runs goes by it") {
		t.Fatalf("rotate-key ended with %d:\n%s", code, said)
	}
	g.recvCmd(1, "rotate-key") // one change at a time
	if err := os.WriteFile(g.path("receiver.pub"), []byte(pub), 0o644); err != nil {
		t.Fatal(err)
	}
	push("early", "late")
	if said := g.sendCmd("early", 0, "receiver", "@"+g.path("receiver.pub")); !strings.Contains(said, "running weir-send run encrypts to it") {
		t.Errorf("the command says:\n%s", said)
	}
	g.sender("new", g.listen, "200Mbit")
	push("early", "late", "new")
	g.stop(g.recv)
	g.startReceiver()
	push("early", "late")
	g.sendCmd("late", 0, "receiver", "@"+g.path("receiver.pub"))
	push("late")
	g.recvCmd(0, "rotate-key", "--retire")
	push("early", "late", "new")
	if _, err := os.Stat(g.path("receiver.key.old")); !os.IsNotExist(err) {
		t.Errorf("the old key is still there: %v", err)
	}
	g.stop(g.recv)
	g.startReceiver()
	push("early", "late")
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))
}
