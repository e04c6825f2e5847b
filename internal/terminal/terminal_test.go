package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// openTerminal returns both ends of a pseudo-terminal: what is written to tty
// is read from the other one.
func openTerminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close(); tty.Close() })
	return master, tty
}

// shown reads what the terminal got until want came, or fails.
func shown(t *testing.T, master *os.File, want string) string {
	t.Helper()
	var all strings.Builder
	found := make(chan bool, 1)
	go func() {
		b := make([]byte, 4096)
		for !strings.Contains(all.String(), want) {
			n, err := master.Read(b)
			if err != nil {
				found <- false
				return
			}
			all.Write(b[:n])
		}
		found <- true
	}()
	select {
	case ok := <-found:
		if !ok {
			t.Fatalf("the terminal ended before %q: %q", want, all.String())
		}
		return all.String()
	case <-time.After(5 * time.Second):
		t.Fatalf("%q never came", want)
		return ""
	}
}

func TestStatusStaysBelow(t *testing.T) {
	master, tty := openTerminal(t)
	s := NewScreen(tty)
	if !s.IsTerminal() || s.Width() != defaultWidth {
		t.Fatalf("terminal %v, width %d", s.IsTerminal(), s.Width())
	}
	s.SetStatus("50%")
	fmt.Fprintln(s, "a line")
	s.SetStatus("")
	fmt.Fprintln(s, "end")
	got := shown(t, master, "end\r\n")
	want := eraseLine + "50%" + eraseLine + "a line\r\n50%" + eraseLine + "end\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFormatOnATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	master, tty := openTerminal(t)
	log, err := NewScreen(tty).Logger("info", Auto)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Str(event.Field, event.Started).Msg("ready")
	if got := shown(t, master, "\r\n"); !strings.Contains(got, "ready") || !strings.Contains(got, "\x1b[") || strings.Contains(got, "{") {
		t.Errorf("not the console form: %q", got)
	}
	t.Setenv("NO_COLOR", "1")
	log, err = NewScreen(tty).Logger("info", Auto)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("plain")
	if got := shown(t, master, "\r\n"); strings.Contains(got, "\x1b") {
		t.Errorf("colour in spite of NO_COLOR: %q", got)
	}
}

// logTo runs f with a logger to a file and returns the file's lines.
func logTo(t *testing.T, level, format string, f func(s *Screen)) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := NewScreen(file)
	log, err := s.Logger(level, format)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("fine")
	log.Warn().Str(event.Field, event.FramesLost).Int("lost", 3).Str("name", "a\x1b[31m\nb").Msg("lost")
	f(s)
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestJSONWhereNobodyLooks(t *testing.T) {
	text := logTo(t, "info", Auto, func(s *Screen) { s.SetStatus("no bar in a file") })
	var line struct {
		Level, Event, Message, Name string
		Time                        time.Time
		Lost                        int
	}
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%q is not one JSON line: %v", text, err)
	}
	if line.Level != "warn" || line.Event != "frames-lost" || line.Message != "lost" || line.Lost != 3 {
		t.Errorf("line %+v", line)
	}
	if line.Time.Location() != time.UTC || time.Since(line.Time) > time.Minute {
		t.Errorf("time %v", line.Time)
	}
}

func TestConsoleQuotesWhatComesFromOutside(t *testing.T) {
	text := logTo(t, "debug", Console, func(*Screen) {})
	if strings.Contains(text, "\x1b") || strings.Count(text, "\n") != 2 {
		t.Errorf("control characters reach the screen: %q", text)
	}
	if !strings.Contains(text, "event=frames-lost") {
		t.Errorf("no event in %q", text)
	}
}

func TestUnknownLevelAndFormat(t *testing.T) {
	s := NewScreen(os.Stderr)
	for _, c := range [][2]string{{"loud", Auto}, {"", Auto}, {"info", "xml"}} {
		if _, err := s.Logger(c[0], c[1]); err == nil {
			t.Errorf("level %q, format %q are taken", c[0], c[1])
		}
	}
}

func TestScreenByMany(t *testing.T) {
	var out strings.Builder
	s := &Screen{out: &out, isTerminal: true, width: func() int { return 80 }}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				io.WriteString(s, "line\n")
				s.SetStatus("status")
			}
		})
	}
	wg.Wait()
	if n := strings.Count(out.String(), "line\n"); n != 400 {
		t.Errorf("%d lines of 400", n)
	}
}
