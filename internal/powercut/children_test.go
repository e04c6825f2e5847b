package powercut

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestChildrenDoNotHoldTheDevice: a receiver that outlives its test must not keep the
// kernel waiting for the file system that the test served.
func TestChildrenDoNotHoldTheDevice(t *testing.T) {
	if _, err := os.Stat(device); os.Getuid() != 0 || err != nil {
		t.Skip("only root can mount file systems, with " + device)
	}
	f, err := ServeFaulty(t.TempDir(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
	if err = errors.Join(err, f.Close()); err != nil || strings.Contains(string(out), device) {
		t.Fatalf("%v\n%s", err, out)
	}
}
