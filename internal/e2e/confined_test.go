package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestReceiverIsConfined looks at the running receiver as the kernel sees it. That
// each forbidden call fails is tested beside package confinement; that normal
// work goes on under it, by every other test here.
func TestReceiverIsConfined(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.startReceiver()
	pid := g.recv.cmd.Process.Pid
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			fields[name] = strings.TrimSpace(value)
		}
		if fields["Seccomp"] != "2" || fields["NoNewPrivs"] != "1" || strings.Trim(fields["CapEff"], "0") != "" || strings.Trim(fields["CapPrm"], "0") != "" {
			t.Errorf("thread %s: Seccomp %s, NoNewPrivs %s, CapEff %s", task.Name(), fields["Seccomp"], fields["NoNewPrivs"], fields["CapEff"])
		}
	}
	if out, _, code := g.run("weir-recv", "run", "--explain-confinement", "--config", g.path("receiver.toml")); code != 1 || out != "" {
		t.Errorf("with the vault in use it ended with %d: %s", code, out)
	}
	g.stop(g.recv)
	out := g.must("weir-recv", "run", "--explain-confinement", "--config", g.path("receiver.toml"))
	if !strings.Contains(out, "seccomp") || strings.Contains(out, " sendto ") || strings.Contains(out, " socket ") || !strings.Contains(out, " recvmmsg ") {
		t.Errorf("explained as\n%s", out)
	}
}

// TestVaultOfAnotherUser: root without its powers cannot write there, and says so
// at once instead of losing everything that comes.
func TestVaultOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving a folder to another user needs root")
	}
	t.Parallel()
	g := newRig(t)
	for _, dir := range []string{"vault", "vault/.weir", "vault/.weir/staging"} {
		if err := os.Chown(g.path(dir), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	if _, errs, code := g.run("weir-recv", "run", "--config", g.path("receiver.toml")); code != 1 || !strings.Contains(errs, "as the user that owns it") {
		t.Errorf("ended with %d: %s", code, errs)
	}
}

// TestStrictConfinement: with a layer missing the receiver starts only where the
// configuration allows that, and says which one is missing.
func TestStrictConfinement(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	out := g.must("weir-recv", "run", "--explain-confinement", "--config", g.path("receiver.toml"))
	lacks := strings.Contains(out, "MISSING")
	g.edit(g.path("receiver.toml"), `confinement = "best-effort"`, `confinement = "strict"`)
	out, errs, code := g.run("weir-recv", "run", "--explain-confinement", "--config", g.path("receiver.toml"))
	switch {
	case lacks && (code != 1 || !strings.Contains(errs, "landlock") || !strings.Contains(errs, "best-effort")):
		t.Errorf("strict, and a layer is missing: ended with %d: %s", code, errs)
	case !lacks && (code != 0 || !strings.Contains(out, "seccomp")):
		t.Errorf("strict, and all layers are there: ended with %d: %s%s", code, out, errs)
	}
	t.Logf("the kernel lacks a layer: %v", lacks)
}
