package config

import (
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/keys"
	"weir/protocol"
)

func receiverText(t testing.TB) string {
	t.Helper()
	key, err := hpke.MLKEM768X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return keys.ReceiverText(key.PublicKey())
}

func senderText(first byte) string {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = first
	return keys.SenderText(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
}

// senderToml is a good configuration with the given lines changed or added;
// an empty value takes the key out.
func senderToml(t testing.TB, set map[string]string, tail string) string {
	t.Helper()
	values := map[string]string{
		"name": `"prod"`, "to": `"10.77.0.2:4600"`, "receiver": `"` + receiverText(t) + `"`, "rate": `"900Mbit"`,
	}
	for k, v := range set {
		values[k] = v
	}
	names := []string{}
	for k, v := range values {
		if v != "" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, k := range names {
		b.WriteString(k + " = " + values[k] + "\n")
	}
	return b.String() + tail
}

func TestSenderDefaults(t *testing.T) {
	c, err := ParseSender("/etc/weir/sender.toml", []byte(senderToml(t, nil, "")))
	if err != nil {
		t.Fatal(err)
	}
	if c.Burst != DefaultBurst || c.Overhead != 10 || c.Heartbeat != DefaultHeartbeat || !c.Offload || c.MTU != 1500 {
		t.Errorf("defaults: %+v", c)
	}
	if want := (protocol.Geometry{Symbol: protocol.SymbolMTU1500}); c.Geometry != want {
		t.Errorf("geometry %+v, want %+v", c.Geometry, want)
	}
	got := []string{c.Key, c.State, c.Socket}
	want := []string{"/etc/weir/sender.key", "/etc/weir/sender.state", "/etc/weir/sender.sock"}
	if !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestSenderSources(t *testing.T) {
	tail := `
[[source]]
name = "etc"
path = "/etc/"
exclude = ["**/*.swp"]
every = "1h"
[[source]]
name = "home"
path = ["../home", "/srv/www"]
`
	c, err := ParseSender("/cfg/weir/sender.toml", []byte(senderToml(t, nil, tail)))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sources) != 2 || c.Sources[0].Path[0] != "/etc" || c.Sources[0].Every.String() != "1h" || c.Sources[1].Every != DefaultEvery {
		t.Errorf("sources: %+v", c.Sources)
	}
	if want := []string{"/cfg/home", "/srv/www"}; !slices.Equal(c.Sources[1].Path, want) {
		t.Errorf("paths %v, want %v", c.Sources[1].Path, want)
	}
}

func TestSymbolFollowsMTU(t *testing.T) {
	cases := []struct {
		mtu, to string
		want    int
	}{
		{"1500", `"10.0.0.2:1"`, protocol.SymbolMTU1500},
		{"9000", `"10.0.0.2:1"`, protocol.SymbolMTU9000},
		{"1500", `"[fd00::2]:1"`, 1344},
		{"1500", `"[::ffff:10.0.0.2]:1"`, protocol.SymbolMTU1500},
	}
	for _, c := range cases {
		s, err := ParseSender("/x", []byte(senderToml(t, map[string]string{"mtu": c.mtu, "to": c.to}, "")))
		if err != nil || s.Geometry.Symbol != c.want {
			t.Errorf("mtu %s to %s: symbol %d, %v; want %d", c.mtu, c.to, s.Geometry.Symbol, err, c.want)
		}
	}
}

func TestSenderRefusals(t *testing.T) {
	expert := func(k, m, depth string) map[string]string {
		return map[string]string{"k": k, "m": m, "depth": depth}
	}
	cases := []struct {
		name string
		set  map[string]string
		key  string
		want string // part of what the error says
	}{
		{"rate zero", map[string]string{"rate": `"0Mbit"`}, "rate", `at least "64kbit"`},
		{"rate above 100 Gbit", map[string]string{"rate": `"101Gbit"`}, "rate", `at most "100Gbit"`},
		{"rate without unit", map[string]string{"rate": `"900"`}, "rate", `has no unit, write it like "900Mbit"`},
		{"rate as a number", map[string]string{"rate": `900`}, "rate", "in quotes and with its unit"},
		{"rate in bytes", map[string]string{"rate": `"90MB"`}, "rate", `unknown unit "MB"`},
		{"rate missing", map[string]string{"rate": ""}, "rate", "missing"},
		{"name missing", map[string]string{"name": ""}, "name", "missing"},
		{"name with a slash", map[string]string{"name": `"a/b"`}, "name", "a-z"},
		{"name of ours", map[string]string{"name": `"weir"`}, "name", "vault's own"},
		{"host name", map[string]string{"to": `"vault:4600"`}, "to", "no host names"},
		{"no port", map[string]string{"to": `"10.0.0.2"`}, "to", "no address with a port"},
		{"port zero", map[string]string{"to": `"10.0.0.2:0"`}, "to", "no address with a port"},
		{"any address", map[string]string{"to": `"0.0.0.0:4600"`}, "to", "no address to send to"},
		{"key of the wrong kind", map[string]string{"receiver": `"` + senderText(1) + `"`}, "receiver", "weir-recv init"},
		{"typing error", map[string]string{"receiver": `"weir-recv-1-AAAA"`}, "receiver", "typing error"},
		{"unknown key", map[string]string{"rat": `"1Mbit"`}, "rat", `did you mean "rate"`},
		{"very unknown key", map[string]string{"compression": `"zstd"`}, "compression", "the keys are name, to"},
		{"k + m", expert("250", "20", "10"), "k", "k + m is 270 and must be at most 256, write k = 236 or less"},
		{"k alone", map[string]string{"k": "200"}, "m", "missing"},
		{"k zero", expert("0", "20", "10"), "k", "at least 1"},
		{"m huge", expert("1", "9223372036854775807", "10"), "k", "k + m"},
		{"depth zero", expert("200", "20", "0"), "depth", "out of range"},
		{"block too large", expert("200", "20", "4096"), "depth", "write 1 to 288"},
		{"expert and burst", map[string]string{"k": "200", "m": "20", "depth": "9", "burst": `"1ms"`}, "burst", "already decide"},
		{"symbol above MTU", map[string]string{"symbol": "1472"}, "symbol", "does not fit the MTU of 1500, write 1408 or less"},
		{"symbol above the limit", map[string]string{"symbol": "8960", "mtu": "9000"}, "symbol", "write 8896 or less"},
		{"symbol uneven", map[string]string{"symbol": "1000"}, "symbol", "multiple of 64"},
		{"symbol zero", map[string]string{"symbol": "0"}, "symbol", "multiple of 64"},
		{"mtu", map[string]string{"mtu": "576"}, "mtu", "write 1500, or 9000"},
		{"mtu text", map[string]string{"mtu": `"big"`}, "mtu", "whole number"},
		{"burst too long", map[string]string{"burst": `"1s"`}, "burst", `write "62ms" or less`},
		{"burst zero", map[string]string{"burst": `"0s"`}, "burst", "too short"},
		{"burst over the memory", map[string]string{"burst": `"50ms"`, "memory": `"64MiB"`}, "burst", `write "15ms" or less`},
		{"overhead", map[string]string{"overhead": `"0%"`}, "overhead", `at least "1%"`},
		{"heartbeat", map[string]string{"heartbeat": `"1ms"`}, "heartbeat", `at least "100ms"`},
		{"offload", map[string]string{"offload": `"no"`}, "offload", "true nor false"},
		{"level", map[string]string{"log_level": `"loud"`}, "log_level", "debug, info, warn, error"},
		{"format", map[string]string{"log_format": `"xml"`}, "log_format", "auto, json, console"},
		{"empty socket", map[string]string{"socket": `""`}, "socket", "leave the line out"},
		{"source as a value", map[string]string{"source": `"/etc"`}, "source", "[[source]]"},
	}
	for _, c := range cases {
		_, err := ParseSender("/etc/weir/sender.toml", []byte(senderToml(t, c.set, "")))
		var problems Problems
		if !errors.As(err, &problems) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v is no list of problems", c.name, err)
			continue
		}
		hit := slices.ContainsFunc(problems, func(p Problem) bool {
			return p.Key == c.key && strings.Contains(p.Text, c.want) && p.File == "/etc/weir/sender.toml"
		})
		if !hit {
			t.Errorf("%s: no problem of %q says %q:\n%v", c.name, c.key, c.want, err)
		}
	}
}

// TestPathsThatTwoKeysGive are refused: metrics would be written over the secret key.
func TestPathsThatTwoKeysGive(t *testing.T) {
	for key, path := range map[string]string{"metrics": "a.key", "state": "x.toml", "socket": "./y/../a.state", "spool_dir": "a.sock"} {
		set := map[string]string{"key": `"a.key"`, "state": `"a.state"`, "socket": `"a.sock"`}
		set[key] = `"` + path + `"`
		_, err := ParseSender("/d/x.toml", []byte(senderToml(t, set, "")))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Text, "give each its own") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestSourceRefusals(t *testing.T) {
	cases := []struct{ name, lines, key, want string }{
		{"no path", "name = \"a\"", "source[1].path", "missing"},
		{"empty list", "name = \"a\"\npath = []", "source[1].path", "empty"},
		{"number", "name = \"a\"\npath = [\"/a\", 1]", "source[1].path", "no string"},
		{"same last name", "name = \"a\"\npath = [\"/a/x\", \"/b/x\"]", "source[1].path", "last name"},
		{"bad glob", "name = \"a\"\npath = \"/a\"\nexclude = \"[\"", "source[1].exclude", "not a pattern"},
		{"glob with a slash before it", "name = \"a\"\npath = \"/a\"\nexclude = \"/a/private/**\"", "source[1].exclude", "without the slash"},
		{"glob with a slash behind it", "name = \"a\"\npath = \"/a\"\nexclude = \"cache/\"", "source[1].exclude", "write \"cache\""},
		{"bad compression", "name = \"a\"\npath = \"/a\"\ncompress = \"zstd\"", "source[1].compress", "auto"},
		{"too often", "name = \"a\"\npath = \"/a\"\nevery = \"0s\"", "source[1].every", "too often"},
		{"unknown", "name = \"a\"\npath = \"/a\"\npaths = \"/b\"", "source[1].paths", `did you mean "path"`},
		{"twice", "name = \"a\"\npath = \"/a\"\n[[source]]\nname = \"a\"\npath = \"/b\"", "source[2].name", "another source"},
	}
	for _, c := range cases {
		_, err := ParseSender("/x", []byte(senderToml(t, nil, "[[source]]\n"+c.lines+"\n")))
		var problems Problems
		if !errors.As(err, &problems) || problems[0].Key != c.key || !strings.Contains(problems[0].Text, c.want) {
			t.Errorf("%s: %v; want %s: …%s…", c.name, err, c.key, c.want)
		}
	}
}

func TestProblemsNameTheirLines(t *testing.T) {
	text := "# comment\nname = \"prod\"\nrate = \"12\"\nto = \"10.0.0.2:1\"\nreceiver = \"" + receiverText(t) + "\"\n" +
		"[[source]]\nname = \"a\"\npath = \"/a\"\n[[source]]\nname = \"b\"\n\"every\" = \"soon\"\n"
	_, err := ParseSender("/x", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("want three problems at once, got %v", err)
	}
	want := []struct {
		line int
		key  string
	}{{3, "rate"}, {9, "source[2].path"}, {11, "source[2].every"}}
	for i, w := range want {
		if problems[i].Line != w.line || problems[i].Key != w.key {
			t.Errorf("problem %d is %v, want line %d, key %s", i, problems[i], w.line, w.key)
		}
	}
	if !strings.HasPrefix(err.Error(), "/x:3: rate: ") {
		t.Errorf("message %q", err)
	}
}

func TestSyntaxErrorsNameTheirLine(t *testing.T) {
	for _, text := range []string{"name = \"prod\"\nrate = 900Mbit\n", "name = \"a\"\nname = \"b\"\n", "\n[[source\n", "x = \"\xff\"\n"} {
		_, err := ParseSender("/x", []byte(text))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever burst the error proposes must be taken, at every rate and overhead.
func TestProposedBurstIsTaken(t *testing.T) {
	for _, rate := range []Rate{64e3, 10e6, 900e6, 10e9, 100e9} {
		for _, overhead := range []Percent{1, 10, 33, 100} {
			c := NewSender("/x")
			c.Rate, c.Overhead = rate, overhead
			c.Burst = c.LongestBurst()
			set := map[string]string{"rate": quote(rate.String()), "overhead": quote(overhead.String()), "burst": quote(c.Burst.String())}
			if _, err := ParseSender("/x", []byte(senderToml(t, set, ""))); err != nil {
				t.Errorf("%v: %v", set, err)
			}
		}
	}
}

func TestNoConfigurationSaysWhatToDo(t *testing.T) {
	_, err := LoadSender(filepath.Join(t.TempDir(), "sender.toml"))
	if err == nil || !strings.Contains(err.Error(), "weir-send init") || !errors.Is(err, ErrInvalid) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "huge.toml")
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSender(path); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzParseSender(f *testing.F) {
	f.Add([]byte(senderToml(f, nil, "")))
	f.Add([]byte(senderToml(f, map[string]string{"k": "1", "m": "9223372036854775807", "depth": "4"}, "[[source]]\nname=1\n")))
	f.Add([]byte("source = [{name = 1}]\nrate = []\nmtu = -9223372036854775808\nto = {a = 1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ParseReceiver("/x", data)
		c, err := ParseSender("/x", data)
		if err == nil && c.Geometry.K > 0 && c.Geometry.Check() != nil {
			t.Errorf("impossible geometry taken: %+v", c.Geometry)
		}
	})
}
