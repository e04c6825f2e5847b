// Package unit writes systemd service units (systemd.service(5),
// systemd.exec(5)) for the two programs that run all the time.
package unit

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Of the parts of a unit. No text/template: with it the linker keeps every method of
// every type, also those that send.
const (
	head = `[Unit]
Description=%s
Wants=network-online.target
After=network-online.target
# Try for ever: a link that is down at first must not end backups.
StartLimitIntervalSec=0
`
	mounts  = "RequiresMountsFor=%s\n"
	service = `
[Service]
Type=exec
ExecStart=%s
Restart=on-failure
RestartSec=5s
# 2 is a wrong configuration: starting again does not mend it.
RestartPreventExitStatus=2
TimeoutStopSec=2min
OOMScoreAdjust=-500
LimitNOFILE=65536
CapabilityBoundingSet=%s
NoNewPrivileges=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
`
	writable = `PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths=%s
`
	tail = `
[Install]
WantedBy=multi-user.target
`
)

// Service is what differs between units. Paths are absolute.
type Service struct {
	Description string
	Command     []string // of ExecStart: the program's path and its arguments
	// Mounts are directories whose file systems must be mounted before it starts, lest it
	// writes into an empty mount point.
	Mounts []string
	// Writable are the directories to which it may write; none for any. Each becomes a mount
	// of its own to the process, between which hard links cannot be made (EXDEV).
	Writable []string
	// Capabilities are all that it may have at its start.
	Capabilities []string
}

// Run returns the command by which this program serves with the configuration in a file.
func Run(file string) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return []string{program, "run", "--config", file}, nil
}

// Write writes the unit to w. A path with a line feed, which no unit can hold,
// is an error.
func (s Service) Write(w io.Writer) error {
	for _, path := range slices.Concat(s.Command, s.Mounts, s.Writable) {
		if strings.ContainsAny(path, "\n\r\x00") {
			return fmt.Errorf("writing a unit: %q holds a line feed; choose another place", path)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, head, s.Description)
	if len(s.Mounts) > 0 {
		fmt.Fprintf(&b, mounts, words(s.Mounts))
	}
	fmt.Fprintf(&b, service, command(s.Command), words(s.Capabilities))
	if len(s.Writable) > 0 {
		fmt.Fprintf(&b, writable, words(s.Writable))
	}
	b.WriteString(tail)
	_, err := io.WriteString(w, b.String())
	return err
}

// command makes the line of ExecStart. Variables are read in arguments, not in
// the program's path.
func command(line []string) string {
	all := []string{quote(line[0])}
	for _, argument := range line[1:] {
		all = append(all, strings.ReplaceAll(quote(argument), "$", "$$"))
	}
	return strings.Join(all, " ")
}

func words(paths []string) string {
	all := make([]string, len(paths))
	for i, path := range paths {
		all[i] = quote(path)
	}
	return strings.Join(all, " ")
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`)

// quote keeps systemd from splitting a word and from reading specifiers in it.
func quote(word string) string {
	if strings.ContainsAny(word, " \t\"'\\;") {
		return `"` + escapes.Replace(word) + `"`
	}
	return escapes.Replace(word)
}
