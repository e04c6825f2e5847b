package status

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser runs Debian's chromium on a page and returns what it prints. Where it is
// not installed the test is skipped, unless all tools are asked for.
func browser(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("WEIR_NETNS") != "" {
		t.Fatal("chromium is not installed: apt-get install chromium")
	}
	if err != nil {
		t.Skip("chromium is not installed, so no browser looks at the page: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{
		"--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
	}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return string(out)
}

// measuring is a page that shows the status in a frame as wide as a screen and
// writes down how wide its content is. The page itself runs no script.
const measuring = `<!DOCTYPE html><iframe id="f" style="width:%dpx;height:900px;border:0" src="page.html"></iframe>
<pre id="out">unmeasured</pre><script>
onload=()=>{const d=document.getElementById("f").contentDocument,e=d.documentElement;
let worst="";for(const x of d.querySelectorAll("body *")){if(x.closest("svg")&&x.tagName!=="svg")continue;if(x.closest(".bursts"))continue;
const r=x.getBoundingClientRect();if(r.right>e.clientWidth+0.5)worst=x.tagName+"."+x.className+" reaches "+r.right}
document.getElementById("out").textContent="measured "+e.scrollWidth+" of "+e.clientWidth+" "+worst}</script>`

// On a phone nothing hangs out of the page.
func TestNothingOverflowsOnAPhone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte(htmlOf(t, crowd())), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{390, 1280} {
		file := filepath.Join(dir, fmt.Sprintf("measure-%d.html", width))
		if err := os.WriteFile(file, fmt.Appendf(nil, measuring, width), 0o644); err != nil {
			t.Fatal(err)
		}
		dom := browser(t, "--allow-file-access-from-files", "--window-size=1400,1000", "--virtual-time-budget=3000", "--dump-dom", "file://"+file)
		m := regexp.MustCompile(`measured (\d+) of (\d+) ([^<]*)`).FindStringSubmatch(dom)
		if m == nil || m[1] != m[2] || strings.TrimSpace(m[3]) != "" {
			t.Errorf("at %d pixels: %q", width, m)
		}
	}
}

// WEIR_PICTURES names a directory for pictures of the page, to be looked at.
func TestPictures(t *testing.T) {
	to := os.Getenv("WEIR_PICTURES")
	if to == "" {
		t.Skip("WEIR_PICTURES names no directory, so no pictures are made")
	}
	for of, s := range map[string]*Status{"": sample(), "crowd-": crowd(), "empty-": {Version: Version, Written: noon, Senders: []Sender{{Name: "new"}}}} {
		pictures(t, to, of, s)
	}
}

func pictures(t *testing.T, to, of string, s *Status) {
	page := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(page, []byte(htmlOf(t, s)), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"desktop-light": {"--window-size=1280,2600"}, "desktop-dark": {"--window-size=1280,2600", "--blink-settings=preferredColorScheme=0"},
		"phone-light": {"--window-size=390,4800"}, "phone-dark": {"--window-size=390,4800", "--blink-settings=preferredColorScheme=0"},
	} {
		browser(t, append(args, "--screenshot="+filepath.Join(to, of+name+".png"), "file://"+page)...)
	}
	browser(t, "--print-to-pdf="+filepath.Join(to, of+"print.pdf"), "file://"+page)
}
