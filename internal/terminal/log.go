package terminal

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
)

// Formats of the log.
const (
	JSON    = "json"    // one JSON object a line
	Console = "console" // for people, in colour on a terminal unless NO_COLOR is set
	Auto    = "auto"    // Console on a terminal, otherwise JSON
)

const (
	logTime     = "2006-01-02T15:04:05.000Z07:00" // RFC 3339 with milliseconds
	consoleTime = "15:04:05.000"
)

// zerolog keeps the form of time stamps in package variables.
func init() {
	zerolog.TimeFieldFormat = logTime
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
}

// Logger returns a logger that writes to the screen lines of the given level
// ("debug", "info", "warn", "error") and graver ones.
func (s *Screen) Logger(level, format string) (zerolog.Logger, error) {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return zerolog.Nop(), fmt.Errorf("unknown log level %q: write debug, info, warn or error", level)
	}
	if format == Auto {
		format = JSON
		if s.isTerminal {
			format = Console
		}
	}
	var out io.Writer = s
	switch format {
	case JSON:
	case Console:
		out = s.console()
	default:
		return zerolog.Nop(), fmt.Errorf("unknown log format %q: write auto, json or console", format)
	}
	return zerolog.New(out).Level(parsed).With().Timestamp().Logger(), nil
}

func (s *Screen) console() io.Writer {
	return zerolog.ConsoleWriter{
		Out:          s,
		NoColor:      !s.isTerminal || os.Getenv("NO_COLOR") != "",
		TimeFormat:   consoleTime,
		TimeLocation: time.Local,
		FieldsOrder:  []string{event.Field},
	}
}
