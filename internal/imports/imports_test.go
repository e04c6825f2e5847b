// Package imports holds the rules of who may import whom. They are what lets an
// auditor see that the receiver cannot send.
package imports

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// closures returns what each package of the module links, itself left out.
func closures(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}}{{"\t"}}{{join .Deps " "}}`, "weir/...").Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkg, deps, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if isOurs(pkg) {
			all[pkg] = strings.Fields(deps)
		}
	}
	return all
}

func isOurs(pkg string) bool { return strings.HasPrefix(pkg, "weir/") }

// TestReceiverLinksNothingThatSends is the proof by imports.
func TestReceiverLinksNothingThatSends(t *testing.T) {
	all := closures(t)["weir/cmd/weir-recv"]
	if !slices.Contains(all, "weir/internal/udprx") || !slices.Contains(all, "weir/receiver") {
		t.Fatal("weir-recv does not even link udprx: this test looks at the wrong thing")
	}
	for _, p := range []string{
		"weir/sender", "weir/internal/udptx", "weir/internal/pacing", "weir/internal/control", "weir/internal/relay", "weir/internal/terminal/progress",
		"weir/internal/inspection/outbound", "github.com/vishvananda/netlink",
		"net/http", "net/smtp", "net/rpc", "net/textproto", "crypto/tls", "log/syslog", "os/exec", "plugin",
		"golang.org/x/net/ipv4", "golang.org/x/net/ipv6", "golang.org/x/crypto/ssh",
	} {
		if slices.Contains(all, p) {
			t.Errorf("weir-recv links %s", p)
		}
	}
}

// sends matches the functions by which a Go program opens a connection or sends
// on a socket. sendfile(2) is not among them: os links it for copies between
// files, and it needs a connected socket.
var sends = regexp.MustCompile(`\b(` +
	`syscall\.(connect|bind|listen|sendto\w*|sendmsg\w*|Sendto|Sendmsg\w*|Connect)|` +
	`golang\.org/x/sys/unix\.(connect|[sS]end(to|msg)\w*|Sendmmsg|Connect|Send|SendmsgBuffers)|` +
	`internal/poll\.\(\*FD\)\.(Connect|WriteTo\w*|WriteMsg\w*)|` +
	`net\.(Dial\w*|Listen\w*|\(\*(Dialer|netFD|UDPConn|TCPConn|UnixConn|IPConn|Resolver)\)\.\w+))$`)

// TestReceiverHasNoCallThatSends looks at the program itself: what the linker
// kept.
func TestReceiverHasNoCallThatSends(t *testing.T) {
	if found := kept(t, "weir/cmd/weir-recv"); len(found) > 0 {
		t.Errorf("weir-recv holds %v", found)
	}
	if found := kept(t, "weir/cmd/weir-send"); len(found) == 0 {
		t.Error("nothing that sends was found in weir-send either: this test looks for the wrong names")
	}
}

// kept builds a program and returns the functions in it that send.
func kept(t *testing.T, pkg string) (found []string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, pkg).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatalf("go tool nm: %v", err)
	}
	if !strings.Contains(string(symbols), " main.main\n") {
		t.Fatal("the program has no table of symbols")
	}
	for line := range strings.Lines(string(symbols)) {
		if name := strings.TrimSpace(line); sends.MatchString(name) {
			found = append(found, name)
		}
	}
	return found
}

// allowed says for each library package which others of the module it may link.
// Commands, and what only tests and demonstrations use, may link what they need.
var allowed = map[string][]string{
	"protocol":                     {},
	"internal/affinity":            {},
	"internal/attestation":         {"internal/manifest", "internal/names", "internal/statefile"},
	"internal/binomial":            {},
	"internal/confinement":         {},
	"internal/count":               {},
	"internal/control":             {"internal/rawpath"},
	"internal/event":               {},
	"internal/exit":                {},
	"internal/expectation":         {"internal/event"},
	"internal/fec":                 {},
	"internal/keys":                {},
	"internal/keyoffer":            {"internal/keys", "internal/names", "internal/statefile"},
	"internal/names":               {},
	"internal/pacing":              {},
	"internal/udprx":               {},
	"internal/udptx":               {},
	"internal/geometry":            {"protocol"},
	"internal/config":              {"protocol", "internal/geometry", "internal/keys", "internal/names", "internal/statefile", "internal/glob"},
	"internal/glob":                {},
	"internal/rawpath":             {},
	"internal/linkquality":         {"protocol", "internal/binomial", "internal/geometry"},
	"internal/manifest":            {"internal/names"},
	"internal/masschange":          {"internal/manifest", "internal/names"},
	"internal/plan":                {"protocol", "internal/binomial", "internal/geometry"},
	"internal/qr":                  {},
	"internal/repaircode":          {},
	"internal/restore":             {"internal/manifest", "internal/names"},
	"internal/terminal":            {"internal/event"},
	"internal/unit":                {},
	"internal/terminal/progress":   {"internal/event", "internal/terminal"},
	"internal/vault":               {"internal/event", "internal/manifest", "internal/masschange", "internal/names", "internal/repaircode"},
	"internal/sealing":             {},
	"internal/statefile":           {},
	"internal/steward":             {"protocol", "internal/config", "internal/event", "internal/geometry", "internal/keys", "internal/manifest", "internal/names", "internal/repaircode", "internal/statefile", "internal/vault", "internal/masschange", "internal/glob"},
	"receiver":                     {"protocol", "internal/event", "internal/fec", "internal/names", "internal/statefile"},
	"sender":                       {"protocol", "internal/event", "internal/fec", "internal/manifest", "internal/names", "internal/pacing", "internal/repaircode", "internal/sealing", "internal/glob", "internal/rawpath"},
	"internal/inspection":          {},
	"internal/inspection/inbound":  {"protocol", "internal/inspection"},
	"internal/inspection/outbound": {"internal/inspection"},
}

// free are the packages without a rule.
var free = []string{"cmd/", "internal/benchmark", "internal/e2e", "internal/imports", "internal/powercut", "internal/relay", "internal/simulation"}

func TestDirectionOfImports(t *testing.T) {
	all := closures(t)
	for pkg, deps := range all {
		name := strings.TrimPrefix(pkg, "weir/")
		if slices.ContainsFunc(free, func(f string) bool { return strings.HasPrefix(name, f) }) {
			continue
		}
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s has no rule here: say what it may import", pkg)
		}
		for _, dep := range deps {
			if isOurs(dep) && ok && !slices.Contains(may, strings.TrimPrefix(dep, "weir/")) {
				t.Errorf("%s links %s", pkg, dep)
			}
		}
	}
	for name := range allowed {
		if _, ok := all["weir/"+name]; !ok {
			t.Errorf("there is no package %s", name)
		}
	}
}

// TestCommandsKeepToTheirSide holds that no program links the other end of the
// link, and weir-vault no end at all.
func TestCommandsKeepToTheirSide(t *testing.T) {
	all := closures(t)
	for command, foreign := range map[string][]string{
		"weir-recv":  {"sender", "internal/udptx"},
		"weir-send":  {"receiver", "internal/udprx", "internal/vault", "internal/restore"},
		"weir-vault": {"receiver", "sender", "internal/udprx", "internal/udptx", "internal/control"},
		"weir-demo":  {"receiver", "sender", "internal/udptx", "internal/vault"},
	} {
		for _, p := range foreign {
			if slices.Contains(all["weir/cmd/"+command], "weir/"+p) {
				t.Errorf("%s links %s", command, p)
			}
		}
	}
	for _, p := range []string{"weir/cmd/weir-send", "weir/cmd/weir-recv", "weir/cmd/weir-vault"} {
		if slices.ContainsFunc(all[p], func(d string) bool {
			return strings.HasPrefix(d, "weir/internal/e2e") || d == "weir/internal/relay" || d == "weir/internal/powercut" || d == "testing"
		}) {
			t.Errorf("%s links what is made for tests", p)
		}
	}
}

// TestProtocolDoesNothing holds that the wire has no I/O, clock or goroutine of
// its own.
func TestProtocolDoesNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, "weir/protocol").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if slices.Contains([]string{"os", "net", "time", "sync", "syscall", "log", "context", "golang.org/x/sys/unix"}, p) {
			t.Errorf("protocol imports %s", p)
		}
	}
}
