package inbound

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/inspection"
)

func TestParseMount(t *testing.T) {
	for line, want := range map[string]mount{
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue": {at: "/mnt2", kind: "ext3"},
		"36 35 98:0 / /srv ro,noatime - xfs /dev/sdb1 rw":                                {at: "/srv", kind: "xfs", readOnly: true},
		"36 35 98:0 / /srv rw - ext4 /dev/sdb1 rw,nobarrier":                             {at: "/srv", kind: "ext4", noBarrier: true},
		"36 35 98:0 / /m rw shared:1 - fuse.sshfs host: rw":                              {at: "/m", kind: "fuse"},
	} {
		if got, ok := parseMount(strings.Fields(line), "98:0"); !ok || got != want {
			t.Errorf("%s: %+v", line, got)
		}
	}
	for _, line := range []string{"", "36 35 98:1 / /srv rw - ext4 x rw", "36 35 98:0 / /srv rw -", "a b 98:0 - - - - - -"} {
		if got, ok := parseMount(strings.Fields(line), "98:0"); ok {
			t.Errorf("%q was taken for %+v", line, got)
		}
	}
}

func TestMountIsTheDeepest(t *testing.T) {
	for _, c := range []struct {
		path, dir string
		want      bool
	}{{"/srv/vault", "/", true}, {"/srv/vault", "/srv", true}, {"/srv/vault", "/srv/vault", true}, {"/srv/vault", "/srv/va", false}, {"/srv/vault", "/run/netns", false}} {
		if below(c.path, c.dir) != c.want {
			t.Errorf("%s below %s is not %v", c.path, c.dir, c.want)
		}
	}
}

// written is a host whose /proc and /sys are files of the test.
func written(t *testing.T, files map[string]string) *host {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := &host{Host: inspection.Host{Proc: dir + "/proc", Sys: dir + "/sys"}}
	h.cfg.Listen = netip.MustParseAddrPort("10.77.0.2:4600")
	h.link = h.Link("eth1")
	return h
}

func TestLoudAndSilentHosts(t *testing.T) {
	loud := map[string]string{
		"sys/class/net/eth1/flags": "0x1003", "sys/class/net/eth1/mtu": "1500", "sys/class/net/eth1/statistics/tx_packets": "7",
		"proc/sys/net/ipv6/conf/eth1/disable_ipv6": "0", "proc/sys/net/ipv4/conf/all/rp_filter": "2",
		"proc/sys/net/ipv4/icmp_echo_ignore_all": "0",
		"proc/net/route":                         "Iface\tDestination\nother\t0\neth1\t004D0A0A\n",
	}
	silent := map[string]string{
		"sys/class/net/eth1/flags": "0x83", "sys/class/net/eth1/mtu": "9000", "sys/class/net/eth1/statistics/tx_packets": "0",
		"proc/sys/net/ipv6/conf/eth1/disable_ipv6": "1", "proc/sys/net/ipv4/conf/all/rp_filter": "0",
		"proc/sys/net/ipv4/icmp_echo_ignore_all": "1",
		"proc/net/route":                         "Iface\tDestination\nother\t0\n",
	}
	l, s := written(t, loud), written(t, silent)
	l.silence()
	s.silence()
	for i := range l.Report {
		if l.Report[i].Severity == inspection.OK || l.Report[i].Command == "" {
			t.Errorf("a loud host: %+v", l.Report[i])
		}
		if s.Report[i].Severity != inspection.OK || s.Report[i].Command != "" {
			t.Errorf("a silent host: %+v", s.Report[i])
		}
	}
}
