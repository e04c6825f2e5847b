package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Ask hands a request to the service on the socket and waits for the end. It
// returns ErrNoService where there is none. stream is the content of a request
// that has one.
func Ask(ctx context.Context, path string, r Request, stream *os.File, p Progress) (Result, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) || len(path) > maxSocketPath {
		return Result{}, ErrNoService
	}
	if err != nil {
		return Result{}, fmt.Errorf("reaching weir-send run: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := sendRequest(c, r, stream); err != nil {
		return Result{}, fmt.Errorf("handing the work to weir-send run: %w", err)
	}
	res, err := readAnswers(c, p)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	return res, err
}

func sendRequest(c *net.UnixConn, r Request, stream *os.File) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	var oob []byte
	if stream != nil {
		oob = unix.UnixRights(int(stream.Fd()))
	}
	n, _, err := c.WriteMsgUnix(line, oob, nil)
	if err == nil && n < len(line) {
		_, err = c.Write(line[n:])
	}
	return err
}

func readAnswers(r io.Reader, p Progress) (Result, error) {
	in := bufio.NewReaderSize(r, answerBuffer)
	for {
		line, err := readLine(in, maxAnswer)
		if errors.Is(err, errLong) {
			return Result{}, err
		}
		if err != nil {
			return Result{}, errors.New("weir-send run went away before it was done; what it had sent already is remembered, push again")
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return Result{}, fmt.Errorf("reading the answer of weir-send run: %w", err)
		}
		switch {
		case a.Usage:
			// The other side may have said so already.
			return Result{}, fmt.Errorf("%w: %s", ErrRequest, strings.TrimPrefix(a.Error, ErrRequest.Error()+": "))
		case a.Error != "":
			return Result{}, errors.New(a.Error)
		case a.Result != nil:
			return *a.Result, nil
		}
		if a.Planned > 0 && p.Planned != nil {
			p.Planned(a.Planned)
		}
		if a.Done > 0 && p.Done != nil {
			p.Done(a.Done)
		}
	}
}

var errLong = fmt.Errorf("the answer of weir-send run is longer than %d bytes", maxAnswer)

// readLine reads up to the end of a line of most bytes, looking at each byte once.
func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, errLong
		}
		if line = append(line, part...); !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
