package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Operators' commands that change a vault hand a request to the process that
// holds it, through files: the receiver may have no socket but the link's. A
// request is REQUESTS/<id>.ask, the answer to it <id>.answer beside it; both get
// their names by a rename, so none is ever seen half written.
const (
	requestsDir   = "requests"
	askSuffix     = ".ask"
	answerSuffix  = ".answer"
	newSuffix     = ".new"
	requestsMode  = 0o700 // whoever may write here commands the vault
	requestRandom = 16    // bytes of an id
)

// Limits of requests.
const (
	maxRequest   = 64 << 10 // bytes
	maxAnswer    = 8 << 20  // bytes
	requestsEach = 16       // taken up at one Settle; more wait for the next
	// AnswerWithin is how long an operator's command waits for an answer. The
	// holder looks about every second.
	AnswerWithin = 30 * time.Second
	answerPoll   = 50 * time.Millisecond
)

// Errors of requests.
var (
	ErrNoAnswer = errors.New("the process that holds the vault does not answer: is it stopped, or its disk stalled? Look at its log, or end it and try again")
	ErrRequest  = errors.New("not a request that this vault knows")
)

// Request is what an operator wants done by whoever holds the vault. Which fields
// count depends on the action.
type Request struct {
	Action   string          `json:"action"`
	Snapshot string          `json:"snapshot,omitempty"` // its full name
	Until    time.Time       `json:"until,omitzero"`
	Detail   json.RawMessage `json:"detail,omitempty"` // what else the action needs
}

// Answer says what became of a request.
type Answer struct {
	Error  string          `json:"error,omitempty"` // why it was not carried out
	Result json.RawMessage `json:"result,omitempty"`
}

// action carries a request out, in the vault's one goroutine. It must not take
// long: what does is begun here and goes on bit by bit. Its result goes to the
// operator as JSON.
type action func(v *Vault, r Request) (result any, err error)

// Ask has a request carried out: by this process if nobody holds the vault, by
// its holder otherwise. The result is decoded into result unless that is nil. A
// receiver that starts meanwhile takes the vault over, and goes on with a scrub or prune.
func Ask(ctx context.Context, dir string, opt Options, r Request, result any) error {
	v, err := Open(dir, opt)
	if errors.Is(err, ErrInUse) {
		return askHolder(ctx, dir, r, result)
	}
	if err != nil {
		return err
	}
	answer := v.answer(r)
	// What the action began has to be finished: nobody comes after us.
	err = v.finishWork(ctx)
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	if aerr := answer.decode(result); aerr != nil {
		return aerr
	}
	switch {
	case !errors.Is(err, errYielded):
		return err
	case r.Action == ActionScrub, r.Action == ActionPrune:
		return askHolder(ctx, dir, r, nil)
	}
	return nil // what is left, whoever opens the vault does
}

// ErrNotHeld is returned by AskHolder where no process has the vault open.
var ErrNotHeld = errors.New("no process holds the vault")

// AskHolder has the process that holds the vault carry a request out, and does
// nothing where none does: ErrNotHeld.
func AskHolder(ctx context.Context, dir string, r Request, result any) error {
	held, err := isHeld(layout{dir}.own(lockFile))
	if err != nil {
		return fmt.Errorf("looking who holds the vault: %w", err)
	}
	if !held {
		return ErrNotHeld
	}
	return askHolder(ctx, dir, r, result)
}

// isHeld tries the lock. Whoever wants it at that very moment tries again.
func isHeld(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

func (a Answer) decode(result any) error {
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if result == nil || a.Result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// askHolder leaves a request for the holder and waits.
func askHolder(ctx context.Context, dir string, r Request, result any) error {
	path, err := leaveRequest(layout{dir}.own(requestsDir), r)
	if err != nil {
		return fmt.Errorf("asking the process that holds the vault: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	tick := time.NewTicker(answerPoll)
	defer tick.Stop()
	for held := time.Now(); ; {
		if is, err := isHeld(layout{dir}.own(lockFile)); is || err != nil {
			held = time.Now()
		}
		data, err := readBounded(path+answerSuffix, maxAnswer)
		if err == nil {
			os.Remove(path + answerSuffix)
			var a Answer
			if err := json.Unmarshal(data, &a); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			return a.decode(result)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if time.Since(held) > holderGrace {
			os.Remove(path + askSuffix)
			return ErrHolderGone
		}
		select {
		case <-ctx.Done():
			os.Remove(path + askSuffix)
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ErrNoAnswer
			}
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// leaveRequest writes a request and returns its path without the suffix.
func leaveRequest(dir string, r Request) (string, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	if len(data) > maxRequest {
		return "", fmt.Errorf("a request of %d bytes: %w", len(data), ErrLimit)
	}
	var id [requestRandom]byte
	rand.Read(id[:])
	path := filepath.Join(dir, hex.EncodeToString(id[:]))
	if err := os.WriteFile(path+newSuffix, data, 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(path+newSuffix, path+askSuffix)
}

// readBounded reads a file that may not be larger than most.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is no plain file"))
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("more than %d bytes: %w", most, ErrLimit)
	}
	return data, err
}

// openRequests makes the directory of requests and forgets those of before that
// nobody waits for any more.
func (v *Vault) openRequests() error {
	dir := v.own(requestsDir)
	if err := os.Mkdir(dir, requestsMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the directory of requests: %w", err)
	}
	if err := os.Chmod(dir, requestsMode); err != nil {
		return fmt.Errorf("closing the directory of requests to others: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("clearing the directory of requests: %w", err)
	}
	for _, e := range entries {
		if st, err := e.Info(); err == nil && time.Since(st.ModTime()).Abs() < AnswerWithin {
			continue // whoever left it may have been waiting for us
		}
		if err := removeBelow(dir, e.Name()); err != nil {
			return fmt.Errorf("clearing the directory of requests: %w", err)
		}
	}
	return nil
}

// serveRequests carries out what was asked for since the last time.
func (v *Vault) serveRequests() {
	entries, err := os.ReadDir(v.own(requestsDir))
	if err != nil {
		v.troubled(err)
		return
	}
	served := 0
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), askSuffix)
		if !ok || served == requestsEach {
			continue
		}
		served++
		path := v.own(requestsDir, name)
		// The request goes first: if the process ends in the midst of it, it is
		// not begun again by the next one.
		data, err := readBounded(path+askSuffix, maxRequest)
		if rerr := os.Remove(path + askSuffix); rerr != nil {
			v.troubled(rerr)
			continue
		}
		v.leaveAnswer(path, v.answerTo(data, err))
	}
}

// answerTo parses a request strictly and carries it out.
func (v *Vault) answerTo(data []byte, err error) Answer {
	if err != nil {
		return Answer{Error: fmt.Sprintf("reading the request: %v", err)}
	}
	var r Request
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Answer{Error: fmt.Sprintf("reading the request: %v", err)}
	}
	if _, err := d.Token(); err != io.EOF {
		return Answer{Error: "reading the request: more follows it"}
	}
	return v.answer(r)
}

func (v *Vault) answer(r Request) Answer {
	do := actions[r.Action]
	if do == nil {
		return Answer{Error: fmt.Sprintf("%q: %v", r.Action, ErrRequest)}
	}
	result, err := do(v, r)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	data, err := json.Marshal(result)
	if err != nil || len(data) > maxAnswer/2 {
		return Answer{Error: fmt.Sprintf("it was done, but the result cannot be told (%d bytes): %v", len(data), err)}
	}
	return Answer{Result: data}
}

// leaveAnswer needs no sync: who waits for it would not survive a power cut.
func (v *Vault) leaveAnswer(path string, a Answer) {
	data, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(path+newSuffix, data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+newSuffix, path+answerSuffix)
	}
	if err != nil {
		v.troubled(err)
	}
}

// snapshotOf returns the snapshot of a request, which names it in full.
func snapshotOf(r Request) (Snapshot, error) {
	parts := strings.Split(r.Snapshot, "/")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return Snapshot{}, fmt.Errorf("%q: %w", r.Snapshot, ErrName)
	}
	return parseName(parts[0], parts[1], parts[2])
}
