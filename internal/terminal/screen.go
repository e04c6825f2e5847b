// Package terminal writes log lines for people and for machines, and keeps one
// status line below them apart from both.
package terminal

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// eraseLine moves to the first column and erases the line (ECMA-48 EL).
const eraseLine = "\r\x1b[2K"

// defaultWidth is taken where the terminal does not tell its width.
const defaultWidth = 80

// Screen is where a program's words go, usually stderr. On a terminal it keeps
// the status line, if there is one, below all that is written. It is safe for
// concurrent use.
type Screen struct {
	mu         sync.Mutex
	out        io.Writer
	isTerminal bool
	width      func() int
	status     string
}

// NewScreen returns a screen that writes to f.
func NewScreen(f *os.File) *Screen {
	fd := int(f.Fd())
	return &Screen{out: f, isTerminal: term.IsTerminal(fd), width: func() int {
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			return w
		}
		return defaultWidth
	}}
}

// IsTerminal reports whether people look at the screen as it is written.
func (s *Screen) IsTerminal() bool { return s.isTerminal }

// Width returns the columns of the terminal.
func (s *Screen) Width() int { return s.width() }

// Write writes whole lines above the status line.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		return s.out.Write(p)
	}
	if _, err := io.WriteString(s.out, eraseLine); err != nil {
		return 0, err
	}
	n, err := s.out.Write(p)
	if err != nil {
		return n, err
	}
	_, err = io.WriteString(s.out, s.status)
	return n, err
}

// SetStatus shows line as the status line; an empty one takes it away. Where
// the screen is no terminal nothing happens.
func (s *Screen) SetStatus(line string) error {
	if !s.isTerminal {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == "" && s.status == "" {
		return nil
	}
	s.status = line
	_, err := io.WriteString(s.out, eraseLine+line)
	return err
}
