package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/relay"
	"weir/internal/status"
)

// expecting makes the receiver expect things soon, and look often.
func (g *rig) expecting(rules string) {
	g.t.Helper()
	conf := g.path("receiver.toml")
	g.edit(conf, `status_every = "5s"`, `status_every = "1s"`)
	data, err := os.ReadFile(conf)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(conf, append(data, "\n"+rules...), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// waitStatus waits until the receiver has written a status as wanted.
func (g *rig) waitStatus(what string, ok func(*status.Status) bool) *status.Status {
	g.t.Helper()
	var last *status.Status
	g.wait(func() bool {
		s, err := status.Read(g.path("vault", ".weir", "status"))
		if err == nil {
			last = s
		}
		return err == nil && ok(s)
	}, func() string {
		text, _ := json.MarshalIndent(last, "", " ")
		return what + " in the status:\n" + string(text) + "\n" + g.recv.log()
	})
	return last
}

func alarmed(s *status.Status, event, subject string) bool {
	for _, a := range s.Alarms {
		if a.Event == event && a.Subject == subject {
			return true
		}
	}
	return false
}

// TestWhatDoesNotComeIsTold: a source that nobody sends and a link that is silent
// are errors, told once, also over a restart, until they end.
func TestWhatDoesNotComeIsTold(t *testing.T) {
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	g.edit(g.path("receiver.toml"), `silent_after = "15m"`, `silent_after = "2s"`)
	g.expecting("[[source]]\nsender = \"prod\"\nsource = \"db\"\nexpect_every = \"4s\"\n")
	g.startReceiver()
	g.waitLog(g.recv, `"event":"source-overdue"`)
	g.waitLog(g.recv, `"event":"link-silent"`)
	s := g.waitStatus("both alarms", func(s *status.Status) bool {
		return alarmed(s, "source-overdue", "prod/db") && alarmed(s, "link-silent", "prod")
	})
	if len(s.Sources) != 1 || !s.Sources[0].Overdue || s.Sources[0].Newest != nil {
		t.Errorf("%+v", s.Sources)
	}
	g.stop(g.recv)
	g.startReceiver()
	time.Sleep(2500 * time.Millisecond)
	if log := g.recv.log(); strings.Contains(log, "source-overdue") || strings.Contains(log, "link-silent") {
		t.Errorf("told again after a restart:\n%s", log)
	}
	g.edit(g.path("prod.toml"), `heartbeat = "10s"`, `heartbeat = "1s"`)
	g.edit(g.path("prod.toml"), `metrics = ""`, `metrics = "prod.prom"`)
	run := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitLog(run, `"event":"started"`)
	g.waitLog(g.recv, `"alarm":"link-silent"`)
	g.push("prod", "db", 0, g.tree("src", 10_000, 3))
	g.waitLog(g.recv, `"alarm":"source-overdue"`)
	if out := g.must("weir-send", "status", "--config", g.path("prod.toml")); !strings.Contains(out, "prod sends to "+g.listen) || !strings.Contains(out, "1 of 3") {
		t.Errorf("weir-send status says:\n%s", out)
	}
	g.wait(func() bool {
		text, err := os.ReadFile(g.path("prod.prom"))
		return err == nil && bytes.Contains(text, []byte(`weir_send_snapshot_number{source="db"} 1`))
	}, func() string { return "the sender's metrics" })
	g.stop(run)
	if out := g.must("weir-send", "status", "--config", g.path("prod.toml")); !strings.Contains(out, "NO weir-send run IS ACTIVE") {
		t.Errorf("weir-send status says:\n%s", out)
	}
	if out, _, _ := g.run("weir-vault", "status", "--config", g.path("receiver.toml")); strings.Contains(out, "NO RECEIVER") || !strings.Contains(out, "prod/db") {
		t.Errorf("weir-vault status says:\n%s", out)
	}
	g.stop(g.recv)
	s.Written = time.Time{} // as of a receiver that ended long ago
	if err := status.Write(g.path("vault", ".weir", "status"), s); err != nil {
		t.Fatal(err)
	}
	out, _, code := g.run("weir-vault", "status", "--vault", g.path("vault"))
	if code != 3 || !strings.Contains(out, "NO RECEIVER RUNS HERE") || !strings.Contains(out, "prod/db") || !strings.Contains(out, "link-silent") {
		t.Errorf("weir-vault status ends with %d and says:\n%s", code, out)
	}
	g.journalled("source-overdue", "link-silent", "alarm-ended", "attestation")
}

// journalled holds that events are in the vault's own log.
func (g *rig) journalled(events ...string) {
	g.t.Helper()
	data, err := os.ReadFile(g.path("vault", ".weir", "events.jsonl"))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range events {
		if !bytes.Contains(data, []byte(`"event":"`+e+`"`)) {
			g.t.Errorf("%s is not in the event log:\n%s", e, data)
		}
	}
}

// TestStatusTellsOfTheLink: loss and outages of the link are counted and shown,
// with what to do about them.
func TestStatusTellsOfTheLink(t *testing.T) {
	g := newRig(t)
	link := g.link(relay.Faults{Loss: 0.005, Seed: 7})
	g.sender("prod", link.Addr().String(), "100Mbit")
	g.expecting("")
	g.startReceiver()
	src := g.tree("src", 8_000_000, 10)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	s := g.waitStatus("the loss", func(s *status.Status) bool {
		return len(s.Senders) == 1 && s.Senders[0].Day.Lost > 0 && len(s.Sources) == 1 && s.Sources[0].Whole == 1
	})
	q, dropped := s.Senders[0].Day, link.Counts().Lost
	if q.Loss < 0.002 || q.Loss > 0.01 || q.Lost > dropped+10 || q.Longest == 0 || q.Bridged == 0 || len(q.Bursts) == 0 || q.Link != q.Lost {
		t.Errorf("the link dropped %d, the status says %+v", dropped, q)
	}
	if d := s.Sources[0].Newest; d == nil || d.Files != 11 || s.Disk.Total == 0 || s.Receiver.Datagrams == 0 || s.Attested == "" {
		t.Errorf("%+v", s)
	}
	g.stop(g.recv)
	for _, name := range []string{status.JSONFile, status.PromFile, status.HTMLFile} {
		info, err := os.Stat(g.path("vault", ".weir", "status", name))
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	page, err := os.ReadFile(g.path("vault", ".weir", "status", status.HTMLFile))
	if err != nil || !bytes.Contains(page, []byte("prod/etc")) || !bytes.Contains(page, []byte(s.Sources[0].Newest.Name)) {
		t.Errorf("the page does not show the restore point: %v", err)
	}
	// The past of the link outlives a restart.
	g.startReceiver()
	again := g.waitStatus("a new status", func(n *status.Status) bool { return n.Started.After(s.Started) })
	if got := again.Senders[0].Day.Lost; got < q.Lost {
		t.Errorf("%d frames were lost before the restart, %d after", q.Lost, got)
	}
	g.stop(g.recv)
	g.attested()
}

// attested verifies today's attestation as anybody would.
func (g *rig) attested() {
	g.t.Helper()
	dir := g.path("vault", ".weir", "attestations")
	days, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(days) == 0 {
		g.t.Fatalf("no attestation: %v", err)
	}
	text, err := os.ReadFile(days[len(days)-1])
	if err != nil || !json.Valid(text) {
		g.t.Fatalf("%s, %v", text, err)
	}
	line := strings.TrimSpace(g.must("weir-recv", "key", "--attestation", "--config", g.path("receiver.toml")))
	signers, err := os.ReadFile(filepath.Join(dir, "allowed_signers"))
	if err != nil || !slices.Contains(strings.Split(string(signers), "\n"), line) {
		g.t.Errorf("%s does not hold %s, %v", signers, line, err)
	}
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("WEIR_NETNS") != "" {
			g.t.Fatal(err)
		}
		g.t.Log("the signature is not verified:", err)
		return
	}
	cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "weir-recv", "-n", "weir-attestation", "-s", days[len(days)-1]+".sig")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Errorf("%v: %s", err, out)
	}
}
