package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/keys"
)

func exampleSender(t *testing.T, path string) Sender {
	c := NewSender(path)
	c.Name, c.To, c.Receiver, c.Rate = "prod", netip.MustParseAddrPort("10.77.0.2:4600"), receiverText(t), 900e6
	return c
}

func exampleReceiver(path string) Receiver {
	c := NewReceiver(path)
	c.Vault, c.Listen = "/srv/va\"ult\\\u00e9\n", netip.MustParseAddrPort("10.77.0.2:4600")
	return c
}

func TestWrittenConfigurationsLoad(t *testing.T) {
	dir := t.TempDir()
	send := exampleSender(t, filepath.Join(dir, "a.toml"))
	if err := WriteSender(send); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSender(send.File)
	if err != nil || got.Name != send.Name || got.Rate != send.Rate || got.Key != filepath.Join(dir, "a.key") || len(got.Sources) != 0 {
		t.Errorf("sender %+v, %v", got, err)
	}
	recv := exampleReceiver(filepath.Join(dir, "b.toml"))
	if err := WriteReceiver(recv); err != nil {
		t.Fatal(err)
	}
	back, err := LoadReceiver(recv.File)
	if err != nil || back.Vault != recv.Vault || back.State != filepath.Join(dir, "b.state") {
		t.Errorf("receiver %+v, %v", back, err)
	}
	if info, err := os.Stat(recv.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := WriteSender(send); !errors.Is(err, keys.ErrExists) {
		t.Errorf("written twice: %v", err)
	}
}

// Every key that is understood stands in the template, with a comment above.
func TestTemplatesAreComplete(t *testing.T) {
	send, recv := exampleSender(t, "/x/s.toml"), exampleReceiver("/x/r.toml")
	doc, top := newDocument("/x/s.toml", send.Render())
	new(Sender).read(top)
	checkTemplate(t, string(doc.data), top.known, "source", "lane")
	doc, top = newDocument("/x/r.toml", recv.Render())
	new(Receiver).read(top)
	checkTemplate(t, string(doc.data), top.known, "source", "sender", "revoked", "lane")
}

func checkTemplate(t *testing.T, text string, known []string, tables ...string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	firstTable := strings.Index(text, "[["+tables[0]+"]]")
	keyLine := regexp.MustCompile(`^(?:# )?([a-z_]+) = `)
	var found []string
	for i, line := range lines {
		if m := keyLine.FindStringSubmatch(line); m != nil && strings.Index(text, line) < firstTable {
			found = append(found, m[1])
			if !strings.HasPrefix(lines[i-1], "# ") {
				t.Errorf("%s has no comment above it", m[1])
			}
		}
		if !strings.HasPrefix(line, "receiver = ") && len(line) > 110 {
			t.Errorf("line %d is %d bytes long", i+1, len(line))
		}
	}
	for _, key := range known {
		if !slices.Contains(tables, key) && !slices.Contains(found, key) {
			t.Errorf("%s is understood but not in the template", key)
		}
	}
}

// What stands in comments must work once somebody takes the # away.
func TestCommentedSettingsWork(t *testing.T) {
	text := string(exampleSenderText(t))
	for _, key := range []string{"k", "m", "depth", "symbol"} {
		text = strings.Replace(text, "\n# "+key+" = ", "\n"+key+" = ", 1)
	}
	for _, key := range []string{"overhead", "burst"} {
		text = strings.Replace(text, "\n"+key+" = ", "\n# "+key+" = ", 1)
	}
	at := strings.Index(text, "# [[source]]")
	text = text[:at] + strings.ReplaceAll(text[at:], "# ", "")
	c, err := ParseSender("/x/s.toml", []byte(text))
	if err != nil || c.Geometry.K != 200 || c.Geometry.Check() != nil || len(c.Sources) != 1 {
		t.Errorf("%+v, %v", c.Geometry, err)
	}
}

func exampleSenderText(t *testing.T) []byte {
	c := exampleSender(t, "/x/s.toml")
	return c.Render()
}

func TestPathThatIsNoText(t *testing.T) {
	c := exampleReceiver(filepath.Join(t.TempDir(), "r.toml"))
	c.Vault = "/srv/\xff"
	if err := WriteReceiver(c); err == nil {
		t.Error("a path that TOML cannot hold was written")
	}
	if _, err := os.Stat(c.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
