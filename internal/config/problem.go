package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is in the chain of every error about the content of a
// configuration file, and about one that is not there, as opposed to an error
// while reading it.
var ErrInvalid = errors.New("the configuration is wrong")

// Problem is one thing wrong with a configuration file.
type Problem struct {
	File string
	Line int    // 0 where it is not known
	Key  string // "rate", or "source[2].path"; empty for the file as a whole
	Text string // what is wrong and what to write instead
}

// Error returns "FILE:LINE: KEY: TEXT".
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is everything wrong with a file, one problem a line, so that an
// operator mends it in one go. It is ErrInvalid to errors.Is.
type Problems []Problem

// Error returns all problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is ErrInvalid.
func (p Problems) Is(target error) bool { return target == ErrInvalid }

// FlagError turns problems of a file that is about to be written into errors
// about the flags that its values came from.
func FlagError(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	flags := make([]error, len(problems))
	for i, p := range problems {
		flags[i] = errors.New(p.Text)
		if p.Key != "" {
			flags[i] = fmt.Errorf("--%s: %s", strings.ReplaceAll(p.Key, "_", "-"), p.Text)
		}
	}
	return errors.Join(flags...)
}
