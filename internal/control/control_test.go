package control

import (
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
