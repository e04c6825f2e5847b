package inspection

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clock looks whether the system's clock is set and kept.
func (r *Report) Clock() {
	var t unix.Timex // with no mode set, adjtimex(2) only reads
	state, err := unix.Adjtimex(&t)
	now := time.Now()
	switch {
	case now.Year() < 2025:
		r.Bad("clock", "date -s 'YYYY-MM-DD HH:MM:SS'", "it says %s; restore points and sessions are named by it", now.UTC().Format(time.DateTime))
	case err != nil:
		r.Warn("clock", "", "it cannot be asked whether it is synchronised: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		r.Warn("clock", "timedatectl set-ntp true", "it is not synchronised; where no time server can be reached, set it by hand from time to time")
	default:
		r.OK("clock", "synchronised")
	}
}

// Key looks at the file of a secret key.
func (r *Report) Key(path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.Bad("key", "", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		r.Bad("key", "chmod 600 "+path, "%s is mode %04o, so others can read it; if somebody did, make a new one", path, info.Mode().Perm())
	default:
		r.OK("key", "%s is for its owner alone", path)
	}
}

// Buffer looks whether a socket gets the buffer that is asked for. limit is
// rmem_max or wmem_max.
func (r *Report) Buffer(h Host, limit string, want int64) {
	path := "net/core/" + limit
	have, ok := h.SysctlNumber(path)
	switch {
	case !ok:
		r.Warn(limit, "", "%s cannot be read", path)
	case have < want:
		r.Warn(limit, fmt.Sprintf("sysctl -w net.core.%s=%d", limit, want), "%d bytes, but buffer asks for %d: without root's powers bursts overrun the socket", have, want)
	default:
		r.OK(limit, "%d bytes", have)
	}
}

// Memory looks whether what the configuration may take is there.
func (r *Report) Memory(h Host, want int64) {
	for _, row := range h.Table("meminfo", false) {
		if len(row) < 2 || row[0] != "MemAvailable:" {
			continue
		}
		var kib int64
		fmt.Sscan(row[1], &kib)
		if kib<<10 < want {
			r.Warn("memory", "", "%d MiB are free, the configuration allows %d: lower memory, or give the host more", kib>>10, want>>20)
			return
		}
		r.OK("memory", "%d MiB are free, %d may be taken", kib>>10, want>>20)
		return
	}
}

// Running looks whether the interface is there and up.
func (r *Report) Running(l Link) bool {
	switch {
	case l.MTU == 0:
		r.Bad("interface", "", "there is no %s", l.Name)
		return false
	case !l.Up:
		r.Bad("interface", "ip link set dev "+l.Name+" up", "%s is down", l.Name)
	default:
		speed := ""
		if l.Speed > 0 {
			speed = fmt.Sprintf(", %d Mbit/s", l.Speed)
		}
		r.OK("interface", "%s, address %s%s", l.Name, strings.ToLower(l.Address), speed)
	}
	return true
}

// Offload looks at one offload of the interface; where the driver does not tell
// there is nothing to say.
func (r *Report) Offload(name, key string, get uint32, wanted bool) {
	value, err := ethtoolValue(name, get)
	switch {
	case err != nil:
		r.OK(key, "%s does not tell", name)
	case value == 0 && wanted:
		r.Warn(key, fmt.Sprintf("ethtool -K %s %s on", name, key), "it is off: several times the CPU for each frame")
	default:
		r.OK(key, "as it should be")
	}
}
