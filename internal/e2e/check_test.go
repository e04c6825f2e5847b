package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// finding is a line of `check --json`.
type finding struct{ Severity, What, Why, Command string }

// inspect runs check in a namespace and returns what it found, by what it is.
func (g *rig) inspect(namespace, program, conf string) (map[string]finding, int) {
	g.t.Helper()
	was := g.sendNS
	g.sendNS = namespace
	out, errs, code := g.run(program, "check", "--json", "--config", g.path(conf))
	g.sendNS = was
	var list []finding
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 && code != 3 {
		g.t.Fatalf("%s check ended with %d: %v\n%s%s", program, code, err, out, errs)
	}
	by := map[string]finding{}
	for _, f := range list {
		by[f.What] = f
	}
	return by, code
}

// mend runs the command that check prints for each of the findings, and holds
// that each was not good before and is good after.
func (g *rig) mend(namespace, program, conf string, what ...string) {
	g.t.Helper()
	before, _ := g.inspect(namespace, program, conf)
	var open []string
	for _, w := range what {
		f, ok := before[w]
		if !ok {
			g.t.Errorf("%s check does not tell of %s: %v", program, w, before)
		}
		if f.Severity == "ok" {
			continue
		}
		open = append(open, w)
		command := strings.NewReplacer("VAULTS-MAC", hardware, "INTERFACE", "weir0").Replace(f.Command)
		netns(g.t, namespace, "sh", "-c", command)
	}
	after, _ := g.inspect(namespace, program, conf)
	for _, w := range what {
		if f := after[w]; f.Severity != "ok" {
			g.t.Errorf("%s is still %s after %q: %s", w, f.Severity, before[w].Command, f.Why)
		}
	}
	g.t.Logf("mended: %v", open)
}

// TestCheckInNamespaces: on two hosts as the system makes them check finds what
// would lose data or break the silence; the commands that it prints mend it, and a
// transfer becomes whole.
func TestCheckInNamespaces(t *testing.T) {
	a, b := rawNamespaces(t)
	g := &rig{t: t, dir: tempDir(t), listen: "10.77.0.2:4600", patience: patience, recvNS: b, sendNS: a}
	g.initReceiver()
	g.sender("prod", g.listen, "300Mbit")
	found, code := g.inspect(b, "weir-recv", "receiver.toml")
	for _, what := range []string{"arp", "routes"} {
		if found[what].Severity != "bad" || code != 3 {
			t.Errorf("%s on an interface that nobody silenced: %+v, exit code %d", what, found[what], code)
		}
	}
	g.mend(b, "weir-recv", "receiver.toml", "arp", "ipv6", "routes", "rp_filter", "ping", "multicast", "address", "interface", "mtu")
	ip(t, "-n "+a+" neigh del 10.77.0.2 dev weir0")
	ip(t, "-n "+a+" addr flush dev weir0")
	ip(t, "-n "+a+" link set weir0 down")
	g.mend(a, "weir-send", "prod.toml", "route")
	g.mend(a, "weir-send", "prod.toml", "address") // the kernel would send from none
	ip(t, "-n "+a+" link set weir0 mtu 1400")
	found, code = g.inspect(a, "weir-send", "prod.toml")
	for _, what := range []string{"neighbour", "mtu"} {
		if found[what].Severity != "bad" || code != 3 {
			t.Errorf("%s on a host that was not prepared: %+v, exit code %d", what, found[what], code)
		}
	}
	g.mend(a, "weir-send", "prod.toml", "neighbour", "mtu", "route", "qdisc")
	for _, side := range [][3]string{{b, "weir-recv", "receiver.toml"}, {a, "weir-send", "prod.toml"}} {
		found, code := g.inspect(side[0], side[1], side[2])
		for _, f := range found {
			if f.Severity == "bad" && !slices.Contains([]string{"file system", "room", "clock", "seccomp"}, f.What) {
				t.Errorf("%s check, once all is mended: %+v (exit code %d)", side[1], f, code)
			}
		}
	}
	src := g.tree("src", 1e6, 10)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.stop(g.recv)
}
