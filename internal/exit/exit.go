// Package exit gives every weir command the same exit codes, and errors that
// carry one.
package exit

import "errors"

// Exit codes of all weir commands.
const (
	Good    = 0 // done, nothing to complain about
	Failed  = 1 // it could not be done
	Usage   = 2 // the command line or the configuration is wrong; nothing was tried
	Damaged = 3 // it was done and found something damaged, not whole, or changed while it was read
)

// Error is an error that says with which code the program should end.
type Error struct {
	Code int
	Err  error
}

// Error returns the text of the wrapped error alone: the code is for the shell.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives errors.Is and errors.As the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// With wraps err so that Code returns code for it. It returns nil for a nil
// err.
func With(code int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Err: err}
}

// Code returns the exit code for err: Good for nil, the code of the outermost
// Error in its chain, and Failed for every other error.
func Code(err error) int {
	if err == nil {
		return Good
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return Failed
}
