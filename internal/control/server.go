package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Handler does the work of a request. stream is nil unless the request has one.
type Handler func(ctx context.Context, r Request, stream *os.File, p Progress) (Result, error)

// Progress is told how a request goes on. Both may be called from anywhere.
type Progress struct {
	Planned, Done func(bytes int64)
}

// Limits of a connection.
const (
	requestTime   = 10 * time.Second
	progressEvery = 200 * time.Millisecond
	maxClients    = 64
	acceptPause   = 200 * time.Millisecond // where there is no descriptor to spare
)

// Serve answers requests until the context ends.
func Serve(ctx context.Context, l *net.UnixListener, handle Handler) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var clients sync.WaitGroup
	defer clients.Wait()
	room := make(chan struct{}, maxClients)
	for {
		c, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if crowded(err) {
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return fmt.Errorf("waiting for requests: %w", err)
		}
		room <- struct{}{}
		clients.Go(func() {
			defer func() { <-room }()
			defer c.Close()
			serveOne(ctx, c, handle)
		})
	}
}

// crowded reports whether the host has no descriptor or memory to spare just now.
func crowded(err error) bool {
	for _, e := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func serveOne(ctx context.Context, c *net.UnixConn, handle Handler) {
	w := &writer{enc: json.NewEncoder(c)}
	if !allowed(c) {
		w.write(answer{Error: "this socket is for the user that runs weir-send run, and for root"})
		return
	}
	r, stream, err := readRequest(c)
	if err != nil {
		w.write(answer{Error: err.Error(), Usage: true})
		return
	}
	if stream != nil {
		stream = Stream(stream)
		defer stream.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the client sends nothing more: the end of its side is its going away
		io.Copy(io.Discard, c)
		cancel()
		if stream != nil {
			stream.Close()
		}
	}()
	done := make(chan struct{})
	go w.report(done)
	res, err := handle(ctx, r, stream, Progress{Planned: w.planned, Done: w.done})
	close(done)
	if err != nil {
		w.write(answer{Error: err.Error(), Usage: errors.Is(err, ErrRequest)})
		return
	}
	w.flush()
	w.write(answer{Result: &res})
}

// readRequest reads the line and the descriptor that comes with it.
func readRequest(c *net.UnixConn) (r Request, stream *os.File, err error) {
	c.SetReadDeadline(time.Now().Add(requestTime))
	defer c.SetReadDeadline(time.Time{})
	var line []byte
	buf, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	for !bytes.HasSuffix(line, []byte("\n")) {
		n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
		if f := descriptor(oob[:oobn]); f != nil {
			if stream != nil {
				f.Close()
			} else {
				stream = f
			}
		}
		if line = append(line, buf[:n]...); err == nil && len(line) > maxRequest {
			err = fmt.Errorf("it is longer than %d bytes", maxRequest)
		}
		if err != nil {
			return r, stream, fmt.Errorf("reading the request: %w", err)
		}
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	err = dec.Decode(&r)
	if _, more := dec.Token(); err == nil && more != io.EOF {
		err = errors.New("there is something behind it")
	}
	if err != nil {
		return r, stream, fmt.Errorf("reading the request: %w", err)
	}
	if r.Stream != (stream != nil) {
		return r, stream, errors.New("reading the request: a stream needs a descriptor, and nothing else has one")
	}
	return r, stream, nil
}

func descriptor(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var first *os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			if first == nil {
				first = os.NewFile(uintptr(fd), "stream")
			} else {
				unix.Close(fd)
			}
		}
	}
	return first
}

// writer gathers progress and writes it now and then.
type writer struct {
	mu   sync.Mutex
	enc  *json.Encoder
	next answer
}

// write sends a line. A client that is gone is noticed by the reader.
func (w *writer) write(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.enc.Encode(a)
}

func (w *writer) planned(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next.Planned = n
}

func (w *writer) done(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next.Done += n
}

func (w *writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next != (answer{}) {
		_ = w.enc.Encode(w.next)
		w.next = answer{}
	}
}

func (w *writer) report(done <-chan struct{}) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.flush()
		case <-done:
			return
		}
	}
}
