package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ActionYield asks a command that holds the vault for work that may take hours, as
// a scrub does, to leave it to a receiver that starts. Its work goes on there.
const ActionYield = "yield"

const (
	// holderGrace is how long nobody may hold the vault before a request that waits
	// for an answer is given up: one holder may be handing it to the next.
	holderGrace = 2 * time.Second
	// takeOverWait is how long a receiver waits for a vault that was left to it.
	takeOverWait = 10 * time.Second
	takeOverPoll = 20 * time.Millisecond
	// maxHolder bounds what is read of who holds the vault, in bytes.
	maxHolder = 256
)

// ErrHolderGone is returned where the process that held the vault ended and did
// not answer.
var ErrHolderGone = errors.New("the process that held the vault ended before it answered: see what it has done, and try again")

// errYielded says that work was cut short for a receiver.
var errYielded = errors.New("the vault was left to a receiver")

// TakeOver is Open for a receiver, which must not wait for hours until a command
// lets go of the vault: one that reads everything again is asked to.
func TakeOver(ctx context.Context, dir string, opt Options) (*Vault, error) {
	v, err := Open(dir, opt)
	if !errors.Is(err, ErrInUse) {
		return v, err
	}
	if aerr := askHolder(ctx, dir, Request{Action: ActionYield}, nil); aerr != nil && !errors.Is(aerr, ErrHolderGone) {
		return nil, err // which names the holder; that another receiver does not yield says nothing more
	}
	for end := time.Now().Add(takeOverWait); errors.Is(err, ErrInUse) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(takeOverPoll)
		v, err = Open(dir, opt)
	}
	return v, err
}

// yieldAction lets a command end its work at the next step.
func yieldAction(v *Vault, _ Request) (any, error) {
	if !v.alone {
		return nil, ErrInUse
	}
	v.yields = true
	return nil, nil
}

// signLock writes into the lock who holds it, for the refusal of others. It helps
// people only, so that a disk that takes it not is no obstacle.
func signLock(lock *os.File) {
	name := filepath.Base(os.Args[0])
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		name += " " + os.Args[1]
	}
	if lock.Truncate(0) == nil {
		lock.WriteAt(fmt.Appendf(nil, "%.100q, process %d\n", name, os.Getpid()), 0)
	}
}

// holderOf tells who holds a lock, as far as it says so.
func holderOf(lock *os.File) string {
	text := make([]byte, maxHolder)
	n, err := lock.ReadAt(text, 0)
	if err != nil && err != io.EOF || n == 0 {
		return ""
	}
	return " by " + strings.ToValidUTF8(strings.TrimSpace(string(text[:n])), "\uFFFD")
}
