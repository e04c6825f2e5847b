// Package control lets `weir-send push` hand its work to a running `weir-send
// run` over a unix socket, so that one process owns the link and its rate.
//
// A connection carries one request, a JSON line, with the descriptor of the
// content beside it where that is a stream (SCM_RIGHTS, unix(7)). The answer is
// JSON lines: progress while the work is done, and one last line with a result
// or an error. A client that goes away cancels its work. The socket is for the
// owner of the service and for root.
package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir/internal/rawpath"
)

const (
	maxRequest   = 8 << 20 // bytes of the request line: repair codes may be long
	maxAnswer    = 1 << 30 // bytes of an answer's line: it may list millions of files
	answerBuffer = 64 << 10
	// maxSocketPath is the longest path of a unix socket, in bytes: sun_path less
	// the NUL.
	maxSocketPath = 107
)

// What a request asks for.
const (
	Push      = "" // take a snapshot and send it
	Plan      = "plan"
	Resend    = "resend"
	List      = "list"
	Status    = "status"
	Calibrate = "calibrate"

	OfferKey    = "offer-key"    // make a new signing key and offer it
	SwitchKey   = "switch-key"   // sign with it
	WithdrawKey = "withdraw-key" // and think better of it

	SwitchReceiver = "switch-receiver" // encrypt to another key of the receiver
)

// Request is what is asked for; push fills the fields down to Compress. Paths are
// absolute.
type Request struct {
	Source    string       `json:"source"`
	Paths     rawpath.List `json:"paths,omitempty"`
	Exclude   rawpath.List `json:"exclude,omitempty"`
	As        string       `json:"as,omitempty"`
	Stream    bool         `json:"stream,omitempty"` // the content comes from a descriptor
	Changed   bool         `json:"changed,omitempty"`
	Compress  bool         `json:"compress,omitempty"`
	Action    string       `json:"action,omitempty"`
	Codes     []string     `json:"codes,omitempty"`   // repair codes, for Plan and Resend
	Several   bool         `json:"several,omitempty"` // codes for other senders may be among them
	Calibrate *Calibration `json:"calibrate,omitempty"`
	Snap      string       `json:"snapshot,omitempty"` // SOURCE@NUMBER, for List to tell its files
	Key       string       `json:"key,omitempty"`      // fingerprint, for SwitchKey; the key itself, for SwitchReceiver
}

// Calibration is a pattern of frames that leave at rising rates.
type Calibration struct {
	From    uint64  `json:"from"` // bits a second on the wire
	To      uint64  `json:"to"`
	Steps   int     `json:"steps"`
	Seconds float64 `json:"seconds"` // of each step
}

// Result is what was sent.
type Result struct {
	Name      string  `json:"name"`
	Files     int64   `json:"files"`
	Bytes     int64   `json:"bytes"`
	SentFiles int64   `json:"sent_files"`
	SentBytes int64   `json:"sent_bytes"`
	WireBytes int64   `json:"wire_bytes"`
	Problems  int64   `json:"problems"`
	Skipped   int64   `json:"skipped"`
	Seconds   float64 `json:"seconds"`
	// Detail is the answer to the other actions.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// answer is one line back.
type answer struct {
	Planned int64   `json:"planned,omitempty"`
	Done    int64   `json:"done,omitempty"` // bytes since the last line
	Result  *Result `json:"result,omitempty"`
	Error   string  `json:"error,omitempty"`
	Usage   bool    `json:"usage,omitempty"` // the request itself was wrong
}

// ErrNoService is returned when nobody listens on the socket.
var ErrNoService = errors.New("no weir-send run is active")

// ErrRequest is wrapped by errors about the request itself.
var ErrRequest = errors.New("the request is wrong")

// Listen opens the socket. A socket that a dead service left is replaced; the
// caller has made sure that no other service lives.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket's path %s is longer than %d bytes; set socket to a shorter one", path, maxSocketPath)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		os.Remove(path)
	}
	// The socket has its mode from the start; a chmod would come too late.
	old := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w; the directory %s must be there and writable", path, err, filepath.Dir(path))
	}
	return l, nil
}

// allowed reports whether the peer is root or runs as this user.
func allowed(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cerr != nil {
		return false
	}
	return cred.Uid == 0 || cred.Uid == uint32(os.Geteuid())
}
