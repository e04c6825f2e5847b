package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"weir/internal/relay"
)

// missing is what `weir-vault missing --json` says.
type missing struct {
	Snapshots []struct {
		Snapshot     string
		Manifest     bool
		MissingFiles int64 `json:"missing_files"`
		MissingBytes int64 `json:"missing_bytes"`
	}
	Codes []struct {
		Sender, Code string
		Snapshots    []string
	}
}

func (g *rig) missing(args ...string) (m missing) {
	g.t.Helper()
	out, errs, code := g.run("weir-vault", append([]string{"missing", "--json", "--vault", g.path("vault")}, args...)...)
	if code != 3 {
		g.t.Fatalf("missing ended with %d: %s%s", code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		g.t.Fatal(err)
	}
	return m
}

func (g *rig) resend(code int, args ...string) string {
	g.t.Helper()
	out, errs, got := g.run("weir-send", append([]string{"resend", "--config", g.path("prod.toml")}, args...)...)
	if got != code {
		g.t.Fatalf("resend %v ended with %d, want %d:\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

var codeInLog = regexp.MustCompile(`"code":"([0-9A-Z-]+)"`)

// TestRepairCode loses what parity cannot heal. The code in the receiver's log,
// typed at the sender, brings it, and hardly anything else.
func TestRepairCode(t *testing.T) {
	g := newRig(t)
	link := g.link(relay.Faults{Cuts: []relay.Cut{{From: 10000, Length: 3000}}})
	g.sender("prod", link.Addr().String(), "200Mbit", "--burst", "20ms")
	src := g.tree("src", 30e6, 50)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	m := g.missing()
	if len(m.Codes) != 1 || len(m.Snapshots) != 1 || m.Snapshots[0].MissingFiles != 1 || len(m.Codes[0].Code) > 40 {
		t.Fatalf("%+v", m)
	}
	code := m.Codes[0].Code
	if found := codeInLog.FindStringSubmatch(g.recv.log()); found == nil || found[1] != code {
		t.Errorf("the log says %v, and missing says %s", found, code)
	}
	t.Logf("%d bytes lack; code %s", m.Snapshots[0].MissingBytes, code)

	wrong := []byte(code)
	wrong[7] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(strings.IndexByte("0123456789ABCDEFGHJKMNPQRSTVWXYZ", wrong[7])+1)%32]
	if said := g.resend(2, string(wrong)); !strings.Contains(said, "group 2,") {
		t.Errorf("a typing error: %s", said)
	}
	before := link.Counts().Received
	if said := g.resend(0, "--dry-run", code); !strings.Contains(said, "Asked for: prod/etc/") || link.Counts().Received != before {
		t.Errorf("dry run: %s", said)
	}
	said := g.resend(0, strings.Split(strings.ToLower(code), "-")...) // with blanks, as people type
	if !strings.Contains(said, "Sent again: prod/etc/") {
		t.Errorf("resend says %s", said)
	}
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
	if sent := (link.Counts().Received - before) * 1472; sent > uint64(m.Snapshots[0].MissingBytes)+15e6 {
		t.Errorf("%d bytes went out for %d that lacked", sent, m.Snapshots[0].MissingBytes)
	}
	if out := g.must("weir-vault", "missing", "--vault", g.path("vault")); !strings.Contains(out, "Nothing is missing") {
		t.Error(out)
	}
}

// TestUnseenSnapshots cuts the link for two snapshots and more. Heartbeats of the
// service tell of them, one code brings both, and it goes through the service; a
// file with codes does the same.
func TestUnseenSnapshots(t *testing.T) {
	g := newRig(t)
	var cut atomic.Bool
	link := g.link(relay.Faults{Drop: func(uint64, []byte) bool { return cut.Load() }})
	g.sender("prod", link.Addr().String(), "200Mbit")
	g.edit(g.path("prod.toml"), `heartbeat = "10s"`, `heartbeat = "500ms"`)
	src := g.tree("src", 1e6, 5)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	cut.Store(true)
	write(t, filepath.Join(src, "second"), 50_000)
	g.push("prod", "etc", 0, "--changed", src)
	write(t, filepath.Join(src, "third"), 60_000)
	g.push("prod", "etc", 0, "--changed", src)
	cut.Store(false)
	service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitLog(service, `"event":"started"`)
	g.wait(func() bool { return strings.Count(g.recv.log(), `"event":"snapshot-unseen"`) == 2 }, func() string { return "two unseen snapshots in:\n" + g.recv.log() })
	m := g.missing()
	if len(m.Codes) != 1 || len(m.Codes[0].Snapshots) != 2 || len(m.Codes[0].Code) > 40 {
		t.Fatalf("%+v", m)
	}
	file := g.path("repair.weir")
	if _, errs, code := g.run("weir-vault", "missing", "--file", file, "--vault", g.path("vault")); code != 3 {
		t.Fatal(errs)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "# for prod") {
		t.Fatalf("%v %s", err, text)
	}
	if said := g.resend(0, "--file", file); strings.Count(said, "Sent again:") != 2 {
		t.Error(said)
	}
	g.waitWhole(3)
	g.waitLog(service, `"event":"repair-sent"`)
	g.check("prod/etc/latest", src)
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))

	out := g.must("weir-send", "list", "--config", g.path("prod.toml"), "--json")
	var list struct {
		Snapshots []struct {
			Snapshot string
			Passes   []string
			Resent   int64 `json:"resent_bytes"`
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Snapshots) != 3 || list.Snapshots[2].Resent < 60_000 || len(list.Snapshots[1].Passes) != 1 {
		t.Errorf("%v %s", err, out)
	}
	if out := g.must("weir-send", "list", "prod/etc@3", "--config", g.path("prod.toml")); !strings.Contains(out, `"third"`) {
		t.Error(out)
	}
	g.stop(service)
	if out := g.must("weir-send", "list", "--config", g.path("prod.toml")); strings.Count(out, "prod/etc/") != 3 {
		t.Error(out)
	}
}

// TestUnseenWithoutAService: where nothing but `weir-send push` runs, now and then, the
// next push tells of one of which nothing came, whatever it is a push of.
func TestUnseenWithoutAService(t *testing.T) {
	g := newRig(t)
	var cut atomic.Bool
	link := g.link(relay.Faults{Drop: func(uint64, []byte) bool { return cut.Load() }})
	g.sender("prod", link.Addr().String(), "200Mbit")
	src, other := g.tree("src", 1e5, 3), g.tree("other", 1e5, 3)
	g.startReceiver()
	cut.Store(true)
	g.push("prod", "etc", 0, src)
	cut.Store(false)
	g.push("prod", "home", 0, other)
	g.waitLog(g.recv, `"event":"snapshot-unseen"`)
	m := g.missing()
	if len(m.Codes) != 1 || len(m.Codes[0].Snapshots) != 1 {
		t.Fatalf("%+v", m)
	}
	g.resend(0, m.Codes[0].Code)
	g.waitWhole(2)
	g.check("prod/etc/latest", src)
}

// TestPassesHeal loses most of a snapshot. The service's later passes make it
// whole, over restarts of both sides, without a person.
func TestPassesHeal(t *testing.T) {
	g := newRig(t)
	var left atomic.Int64
	link := g.link(relay.Faults{Drop: func(n uint64, _ []byte) bool { return left.Load() > 0 && n > 2000 && left.Add(-1) >= 0 }})
	g.sender("prod", link.Addr().String(), "100Mbit", "--burst", "10ms")
	g.edit(g.path("prod.toml"), `pass_spacing = "1h"`, `pass_spacing = "2s"`)
	g.edit(g.path("prod.toml"), `spool = "none"`, `spool = "copy"`)
	g.edit(g.path("prod.toml"), `spool_keep = "168h"`, `spool_keep = "0s"`)
	src := g.tree("src", 10e6, 100)
	g.startReceiver()
	left.Store(5000)
	g.push("prod", "etc", 0, src)
	g.waitLog(g.recv, `"event":"snapshot-partial"`)
	want := g.path("kept")
	if err := os.CopyFS(want, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(src, "large")) // the spool has it
	g.recv.cmd.Process.Kill()
	g.ended(g.recv)
	g.startReceiver()
	left.Store(3000) // of the second pass some is lost too
	var logs string  // a service may release the spool before it is killed
	for range 2 {
		service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
		g.wait(func() bool { return strings.Contains(service.log(), `"event":"pass-sent"`) }, func() string { return fmt.Sprint("a pass in:\n", service.log()) })
		service.cmd.Process.Kill()
		g.ended(service)
		logs += service.log()
	}
	service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitWhole(1)
	g.wait(func() bool { return strings.Contains(logs+service.log(), `"event":"spool-released"`) }, func() string { return fmt.Sprint("the spool to be released in:\n", logs, service.log()) })
	g.stop(service)
	g.must("weir-vault", "verify", "--all", "--vault", g.path("vault"))
	dest := filepath.Join(tempDir(t), "restored")
	g.must("weir-vault", "restore", "prod/etc/latest", dest, "--vault", g.path("vault"))
	a, aerr := os.ReadFile(filepath.Join(want, "large"))
	b, berr := os.ReadFile(filepath.Join(dest, "large"))
	if aerr != nil || berr != nil || string(a) != string(b) {
		t.Error("what was restored differs")
	}
	if entries, err := os.ReadDir(g.path("prod.state.d", "spool")); err != nil || len(entries) != 0 {
		t.Errorf("after the last pass the spool holds %d files, %v", len(entries), err)
	}
}
