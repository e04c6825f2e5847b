package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const receiverToml = "vault = \"../vault\"\nlisten = \"10.77.0.2:4600\"\n"

func TestReceiverDefaults(t *testing.T) {
	c, err := ParseReceiver("/etc/weir/receiver.toml", []byte(receiverToml))
	if err != nil {
		t.Fatal(err)
	}
	if c.Vault != "/etc/vault" || c.State != "/etc/weir/receiver.state" || !slices.Equal(c.Keys, []string{"/etc/weir/receiver.key"}) {
		t.Errorf("paths: %+v", c)
	}
	if c.Memory != 512<<20 || c.MinFree.Of(0) != 1<<30 || c.Buffer != 64<<20 || !c.Offload || c.Listen.Port() != 4600 {
		t.Errorf("values: %+v", c)
	}
}

func TestReceiverTakesSeveralKeys(t *testing.T) {
	c, err := ParseReceiver("/w/r.toml", []byte(receiverToml+`key = ["new.key", "/old/old.key"]`))
	if err != nil || !slices.Equal(c.Keys, []string{"/w/new.key", "/old/old.key"}) {
		t.Errorf("keys %v, %v", c.Keys, err)
	}
}

func TestReceiverRefusals(t *testing.T) {
	sender := func(name, key string) string {
		return "[[sender]]\nname = \"" + name + "\"\nkey = \"" + key + "\"\n"
	}
	cases := []struct{ name, lines, key, want string }{
		{"memory", `memory = "1MiB"`, "memory", `at least "64MiB"`},
		{"memory without unit", `memory = 512`, "memory", "with its unit"},
		{"min_free", `min_free = "120%"`, "min_free", "at most"},
		{"buffer", `buffer = "2GiB"`, "buffer", `at most "1GiB"`},
		{"unknown", `min-free = "1GiB"`, "min-free", `did you mean "min_free"`},
		{"no keys", `key = []`, "key", "leave the line out"},
		{"bad key", sender("prod", "weir-send-1-AAAA"), "sender[1].key", "typing error"},
		{"wrong kind", sender("prod", receiverText(t)), "sender[1].key", "wrong kind"},
		{"no key", "[[sender]]\nname = \"a\"", "sender[1].key", "missing"},
		{"bad name", sender("Prod", senderText(1)), "sender[1].name", "a-z"},
		{"two bounds", sender("a", senderText(1)) + "max_objects = 0\n" + sender("a", senderText(2)) + "max_objects = 7\n", "sender[2].max_objects", "once"},
		{"two quotas", sender("a", senderText(1)) + "quota = \"1GB\"\n" + sender("a", senderText(2)) + "quota = \"1GB\"", "sender[2].quota", "once"},
		{"bad revoked", strings.Replace(sender("a", "weir-send-1-AAAA"), "sender", "revoked", 1), "revoked[1].key", "typing error"},
		{"revoked nobody", "[[revoked]]\nkey = \"" + senderText(1) + "\"", "revoked[1].name", "missing"},
		{"key twice", sender("a", senderText(1)) + sender("b", senderText(1)), "sender[2].key", `the key of "a"`},
	}
	for _, c := range cases {
		_, err := ParseReceiver("/x", []byte(receiverToml+c.lines+"\n"))
		var problems Problems
		if !errors.As(err, &problems) || problems[0].Key != c.key || !strings.Contains(problems[0].Text, c.want) || problems[0].Line < 3 {
			t.Errorf("%s: %v; want %s: …%s…", c.name, err, c.key, c.want)
		}
	}
	_, err := ParseReceiver("/x", nil)
	if problems, ok := err.(Problems); !ok || len(problems) != 2 {
		t.Errorf("an empty file: %v; want vault and listen missing", err)
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receiver.toml")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAddSenderKeepsTheFile(t *testing.T) {
	before := "# mine\r\n" + receiverToml + "  # odd    spacing\n[[sender]]\nname = \"old\" # keep\nkey = \"" + senderText(1) + "\"" // no newline at the end
	path := writeConfig(t, before)
	added, err := AddSender(path, TrustedSender{Name: "prod", Key: senderText(2)}, false)
	if err != nil || !added {
		t.Fatalf("added %v, %v", added, err)
	}
	after := read(t, path)
	if !strings.HasPrefix(after, before+"\n") {
		t.Errorf("the old text changed:\n%s", after)
	}
	c, err := LoadReceiver(path)
	if err != nil || len(c.Senders) != 2 || c.Senders[1] != (TrustedSender{Name: "prod", Key: senderText(2)}) {
		t.Errorf("senders %+v, %v", c.Senders, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestAddSenderTwice(t *testing.T) {
	path := writeConfig(t, receiverToml)
	prod := TrustedSender{Name: "prod", Key: senderText(1)}
	if added, err := AddSender(path, prod, false); !added || err != nil {
		t.Fatal(added, err)
	}
	before := read(t, path)
	if added, err := AddSender(path, prod, false); added || err != nil {
		t.Errorf("the same again: added %v, %v", added, err)
	}
	if _, err := AddSender(path, TrustedSender{Name: "prod", Key: senderText(2)}, false); !errors.Is(err, ErrNameTaken) {
		t.Errorf("another key: %v", err)
	}
	if _, err := AddSender(path, TrustedSender{Name: "dev", Key: senderText(1)}, false); !errors.Is(err, ErrKeyTaken) {
		t.Errorf("another name: %v", err)
	}
	if after := read(t, path); after != before {
		t.Errorf("the file changed:\n%s", after)
	}
}

func TestAddSenderHarmsNothing(t *testing.T) {
	cases := map[string]string{
		"broken file":  receiverToml + "x = \n",
		"inline array": receiverToml + "sender = []\n",
		"unknown key":  receiverToml + "foo = 1\n",
	}
	for name, text := range cases {
		path := writeConfig(t, text)
		if added, err := AddSender(path, TrustedSender{Name: "prod", Key: senderText(1)}, false); added || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: added %v, %v", name, added, err)
		}
		if read(t, path) != text {
			t.Errorf("%s: the file changed", name)
		}
	}
	_, err := AddSender(filepath.Join(t.TempDir(), "none"), TrustedSender{Name: "prod", Key: senderText(1)}, false)
	if err == nil || !strings.Contains(err.Error(), "weir-recv init") {
		t.Errorf("no file: %v", err)
	}
}

func TestAddSenderFollowsALink(t *testing.T) {
	path := writeConfig(t, receiverToml)
	link := filepath.Join(t.TempDir(), "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := AddSender(link, TrustedSender{Name: "prod", Key: senderText(1)}, false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	if !strings.Contains(read(t, path), "prod") {
		t.Error("the file behind the link did not change")
	}
}

func TestAddSenderByMany(t *testing.T) {
	path := writeConfig(t, receiverToml)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := AddSender(path, TrustedSender{Name: "host" + string(rune('a'+i)), Key: senderText(byte(i))}, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c, err := LoadReceiver(path); err != nil || len(c.Senders) != 8 {
		t.Errorf("%d senders, %v", len(c.Senders), err)
	}
}

// A revoked key is not trusted, whatever stands beside it, and can never be again.
func TestRevoke(t *testing.T) {
	path := writeConfig(t, receiverToml)
	old, next := TrustedSender{Name: "prod", Key: senderText(1)}, TrustedSender{Name: "prod", Key: senderText(2)}
	if _, err := Revoke(path, old); !errors.Is(err, ErrNoSender) {
		t.Errorf("a key that nobody trusts: %v", err)
	}
	for i, further := range []bool{false, true} {
		if added, err := AddSender(path, []TrustedSender{old, next}[i], further); !added || err != nil {
			t.Fatal(added, err)
		}
	}
	if _, err := Revoke(path, TrustedSender{Name: "dev", Key: old.Key}); !errors.Is(err, ErrNoSender) {
		t.Errorf("under another name: %v", err)
	}
	before := read(t, path)
	if added, err := Revoke(path, old); !added || err != nil {
		t.Fatal(added, err)
	}
	if added, err := Revoke(path, old); added || err != nil {
		t.Errorf("twice: %v, %v", added, err)
	}
	after := read(t, path)
	if !strings.HasPrefix(after, before) {
		t.Errorf("the rest of the file changed:\n%s", after)
	}
	c, err := LoadReceiver(path)
	if err != nil || len(c.Trusted()) != 1 || c.Trusted()[0] != next || !slices.Equal(c.SenderNames(), []string{"prod"}) {
		t.Errorf("trusted %+v, %v", c.Trusted(), err)
	}
	if _, err := AddSender(path, old, true); !errors.Is(err, ErrKeyRevoked) {
		t.Errorf("trusted again: %v", err)
	}
}
