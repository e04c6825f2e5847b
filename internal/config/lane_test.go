package config

import (
	"strings"
	"testing"
)

func TestLanes(t *testing.T) {
	example := exampleReceiver("/x/r.toml")
	base := string(example.Render())
	without := strings.Replace(base, `listen = "10.77.0.2:4600"`, "", 1)
	lane := func(listen, dev string) string {
		return "\n[[lane]]\nlisten = \"" + listen + "\"\ninterface = \"" + dev + "\"\n"
	}
	c, err := ParseReceiver("/x/r.toml", []byte(without+lane("10.77.0.2:4600", "eth1")+lane("10.78.0.2:4600", "")))
	if err != nil || len(c.Lanes) != 2 || c.Listen != c.Lanes[0].Address || c.Lanes[0].Interface != "eth1" {
		t.Errorf("%+v, %v", c.Lanes, err)
	}
	if c, err := ParseReceiver("/x/r.toml", []byte(base)); err != nil || len(c.Lanes) != 1 || c.Lanes[0].Address != c.Listen {
		t.Errorf("without tables: %+v, %v", c.Lanes, err)
	}
	pinned := without + lane("10.77.0.2:4600", "") + "cpu = 3\n" + lane("10.77.0.2:4601", "")
	if c, err := ParseReceiver("/x/r.toml", []byte(pinned)); err != nil || c.Lanes[0].CPU != 3 || c.Lanes[1].CPU != AnyCPU {
		t.Errorf("with one CPU given: %+v, %v", c.Lanes, err)
	}
	if c, err := ParseReceiver("/x/r.toml", []byte("cpu = 0\n"+base)); err != nil || c.Lanes[0].CPU != 0 {
		t.Errorf("without tables, with a CPU: %+v, %v", c.Lanes, err)
	}
	for text, want := range map[string]string{
		"cpu = 1\n" + pinned:              "write this line into the [[lane]] tables",
		"cpu = -1\n" + base:               "no CPU",
		"cpu = 1024\n" + base:             "no CPU",
		"cpu = \"0\"\n" + base:            "no whole number",
		base + lane("10.77.0.2:4600", ""): "delete this line",
		without + lane("10.77.0.2:4600", "") + lane("10.77.0.2:4600", ""): "the same lane",
		without + lane("10.77.0.2:4600", "") + lane("[fd00::2]:4600", ""): "or all IPv6",
		without + lane("10.77.0.2:4600", "a/b"):                           "no name of an interface",
		without + strings.Repeat(lane("10.77.0.2:4600", ""), 9):           "at most 8",
		without + "\n[[lane]]\ninterface = \"eth1\"\n":                    "missing",
		without: "missing",
	} {
		if _, err := ParseReceiver("/x/r.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
