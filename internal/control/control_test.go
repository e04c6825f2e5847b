package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func serve(t *testing.T, handle Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, l, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestPush(t *testing.T) {
	path := serve(t, func(_ context.Context, r Request, stream *os.File, p Progress) (Result, error) {
		content, err := io.ReadAll(stream)
		p.Planned(10)
		p.Done(7)
		p.Done(3)
		return Result{Name: r.Source + r.As + string(content)}, err
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v, %v", info.Mode(), err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { fmt.Fprint(out, "content"); out.Close() }()
	var planned, done int64
	p := Progress{Planned: func(n int64) { planned = n }, Done: func(n int64) { done += n }}
	res, err := Ask(t.Context(), path, Request{Source: "a", As: "b", Stream: true}, in, p)
	if err != nil || res.Name != "abcontent" || planned != 10 || done != 10 {
		t.Fatalf("%+v, %v, planned %d, done %d", res, err, planned, done)
	}
}

func TestErrorsComeBack(t *testing.T) {
	path := serve(t, func(_ context.Context, r Request, _ *os.File, _ Progress) (Result, error) {
		if r.Source == "" {
			return Result{}, fmt.Errorf("%w: no source", ErrRequest)
		}
		return Result{}, errors.New("the disk is on fire")
	})
	if _, err := Ask(t.Context(), path, Request{}, nil, Progress{}); !errors.Is(err, ErrRequest) {
		t.Errorf("a wrong request: %v", err)
	} else if strings.Count(err.Error(), ErrRequest.Error()) != 1 {
		t.Errorf("it is said twice: %v", err)
	}
	if _, err := Ask(t.Context(), path, Request{Source: "a"}, nil, Progress{}); err == nil || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("a failure: %v", err)
	}
	if _, err := Ask(t.Context(), path+"x", Request{}, nil, Progress{}); !errors.Is(err, ErrNoService) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestRubbishIsRefused(t *testing.T) {
	path := serve(t, func(context.Context, Request, *os.File, Progress) (Result, error) {
		t.Error("rubbish was handled")
		return Result{}, nil
	})
	for _, line := range []string{"\n", "{}x\n", `{"unknown":1}` + "\n", `{"stream":true}` + "\n", strings.Repeat("x", maxRequest+1) + "\n"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(c, line)
		answer, _ := io.ReadAll(c)
		if !strings.Contains(string(answer), `"usage":true`) {
			t.Errorf("%.20q is answered with %q", line, answer)
		}
		c.Close()
	}
}

func TestClientThatGoesAwayCancels(t *testing.T) {
	cancelled := make(chan struct{})
	path := serve(t, func(ctx context.Context, _ Request, _ *os.File, _ Progress) (Result, error) {
		<-ctx.Done()
		close(cancelled)
		return Result{}, ctx.Err()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, path, Request{Source: "a"}, nil, Progress{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	<-cancelled
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if l, err = Listen(path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Listen("/" + strings.Repeat("x", 200)); err == nil {
		t.Error("a path that is too long")
	}
}

// TestStreamThatWaits has a client go away while its stream gives nothing: reading it
// ends, although the pipe stays open.
func TestStreamThatWaits(t *testing.T) {
	ended := make(chan error, 1)
	path := serve(t, func(_ context.Context, _ Request, stream *os.File, _ Progress) (Result, error) {
		_, err := io.ReadAll(stream)
		ended <- err
		return Result{}, err
	})
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, path, Request{Stream: true}, in, Progress{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the service reads on")
		out.Close()
	}
}

// TestNoDescriptorsLeft has the host run short of descriptors while somebody knocks:
// the service goes on when there are some again.
func TestNoDescriptorsLeft(t *testing.T) {
	path := serve(t, func(context.Context, Request, *os.File, Progress) (Result, error) { return Result{Name: "x"}, nil })
	c, err := net.Dial("unix", path) // so that all is set up
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	none := unix.Rlimit{Cur: 0, Max: was.Max}
	if err := errors.Join(unix.Setrlimit(unix.RLIMIT_NOFILE, &none), unix.Connect(fd, &unix.SockaddrUnix{Name: path})); err != nil {
		t.Error(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if res, err := Ask(t.Context(), path, Request{}, nil, Progress{}); err != nil || res.Name != "x" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestLongAnswer reads lines that are longer than the buffer, and none that is longer
// than the limit.
func TestLongAnswer(t *testing.T) {
	long := strings.Repeat("x", 3*answerBuffer)
	in := bufio.NewReaderSize(strings.NewReader(long+"\nshort\n"+long), answerBuffer)
	for _, want := range []string{long + "\n", "short\n"} {
		if got, err := readLine(in, len(long)+1); err != nil || string(got) != want {
			t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
		}
	}
	if _, err := readLine(in, len(long)-1); !errors.Is(err, errLong) {
		t.Errorf("%v", err)
	}
}
