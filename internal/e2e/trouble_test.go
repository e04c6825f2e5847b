package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/internal/relay"
)

// nobody is a user without rights, for tests that run as root.
const nobody = 65534

// unprivileged runs a program as somebody whom modes stop. What lies in the
// rig's folder, but for the vault, is given to that user.
func (g *rig) unprivileged(name string, args ...string) (output string, code int) {
	g.t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		err := filepath.WalkDir(g.dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch path {
			case g.dir: // shared with the receiver, which gave up root's powers
				return os.Chmod(path, 0o777|os.ModeSticky)
			case g.path("vault"):
				return filepath.SkipDir
			}
			return os.Lchown(path, nobody, nobody)
		})
		if err != nil {
			g.t.Fatal(err)
		}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestUnreadableFilesAreNamed leaves one file and one directory unreadable; all
// else arrives.
func TestUnreadableFilesAreNamed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	src := g.tree("src", 1e6, 5)
	g.startReceiver()
	write(t, filepath.Join(src, "locked", "inside"), 100)
	for path, mode := range map[string]os.FileMode{"small/3": 0, "locked": 0} {
		if err := os.Chmod(filepath.Join(src, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	out, code := g.unprivileged("weir-send", "push", "--config", g.path("prod.toml"), "--source", "etc", src)
	if code != 3 || !strings.Contains(out, "small/3") || !strings.Contains(out, "locked") || !strings.Contains(out, "permission denied") {
		t.Fatalf("push ended with %d:\n%s", code, out)
	}
	g.waitWhole(1)
	if p := g.list()[0]; p.Problems != 2 {
		t.Errorf("listed as %+v", p)
	}
	if out := g.must("weir-vault", "show", "prod/etc/latest", "--vault", g.path("vault")); !strings.Contains(out, "permission denied") {
		t.Errorf("show says:\n%s", out)
	}
	if out := g.must("weir-vault", "list", "--vault", g.path("vault")); !strings.Contains(out, "2") {
		t.Errorf("list does not speak of problems:\n%s", out)
	}
	g.run("weir-vault", "restore", "prod/etc/latest", g.path("restored"), "--vault", g.path("vault"))
	for _, name := range []string{"large", "small/0", "small/4"} {
		want, _ := os.ReadFile(filepath.Join(src, name))
		if got, err := os.ReadFile(g.path("restored", name)); err != nil || string(got) != string(want) {
			t.Errorf("%s was not restored: %v", name, err)
		}
	}
}

// TestVanishingFileIsNamed removes a file that the push has already met by
// name, while it still sends the one before.
func TestVanishingFileIsNamed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	src := g.tree("src", 20e6, 5)
	write(t, filepath.Join(src, "zz gone"), 1000)
	link := g.link(relay.Faults{Drop: func(n uint64, _ []byte) bool {
		if n == 1000 {
			os.Remove(filepath.Join(src, "zz gone"))
		}
		return false
	}})
	g.sender("prod", link.Addr().String(), "100Mbit")
	g.startReceiver()
	out := g.push("prod", "etc", 3, src)
	if !strings.Contains(out, "zz gone") || !strings.Contains(out, "vanished") {
		t.Errorf("push says:\n%s", out)
	}
	g.waitWhole(1)
	if p := g.list()[0]; p.Problems != 1 {
		t.Errorf("listed as %+v", p)
	}
}

// TestVaultThatCannotBeWritten is refused by init, and by run when it became
// so later.
func TestVaultThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	locked := g.path("locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	out, code := g.unprivileged("weir-recv", "init", "--vault", filepath.Join(locked, "vault"), "--listen", g.listen, "--config", g.path("other", "r.toml"))
	if code != 1 || !strings.Contains(out, "permission denied") && !strings.Contains(out, "not writable") {
		t.Errorf("init ended with %d:\n%s", code, out)
	}
	for _, dir := range []string{g.path("vault", ".weir"), g.path("vault")} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	out, code = g.unprivileged("weir-recv", "run", "--config", g.path("receiver.toml"), "--exit-idle", "1s")
	if code != 1 || !strings.Contains(out, g.path("vault")) {
		t.Errorf("run ended with %d:\n%s", code, out)
	}
}
