package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/internal/keys"
	"weir/protocol"
)

// A setting is one key of a template: what changing it does, and its value.
type setting struct {
	key, value string
	comment    string // lines of at most 98 bytes
	off        bool   // written as a comment
}

func render(head string, settings []setting, tail string) []byte {
	var b strings.Builder
	comment(&b, head)
	for _, s := range settings {
		b.WriteByte('\n')
		comment(&b, s.comment)
		if s.off {
			b.WriteString("# ")
		}
		fmt.Fprintf(&b, "%s = %s\n", s.key, s.value)
	}
	b.WriteByte('\n')
	comment(&b, tail)
	return []byte(b.String())
}

func comment(b *strings.Builder, text string) {
	for _, line := range strings.Split(text, "\n") {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

// quote writes a TOML basic string, whose escapes are not those of Go. Bytes
// that are not UTF-8 stay as they are, for the parser to refuse.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.Write([]byte{'\\', c})
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func quoteList(list []string) string {
	if len(list) == 1 {
		return quote(list[0])
	}
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

const senderHead = `Configuration of weir-send (TOML). Relative paths start at the directory of this file.
A changed value counts from the next start of the program.`

const senderTail = `Several links can carry the same blocks together: write, instead of the line ` + "`to`" + `, a table for each
lane. Each carries an equal share of ` + "`rate`" + `. Where parity is at least the share of one lane (overhead
100% for two, 50% for three, 34% for four), one may fail altogether; ` + "`weir-send plan`" + ` says whether.
  to         address and UDP port of the receiver on this lane
  interface  this host's interface, where routes alone do not lead there; may be left out

[[lane]]
to = "10.77.0.2:4600"
interface = "eth1"

What ` + "`weir-send run`" + ` takes snapshots of: one table a source.
  name     its name in the vault; a new name begins a new line of restore points
  path     a directory, a file, or a list of them; one directory is the root of the snapshot itself
  exclude  patterns of paths below the root that are left out; ** crosses directories
  every    how often a snapshot is taken; only new and changed files are sent again
  encrypt_to  public keys of age (a list of "age1..."): content is sealed to them before it leaves, and the
           vault cannot read it; names, sizes and attributes stay readable. Restoring needs the secret key.
  compress "auto": what gets smaller by it is compressed on the wire, at the cost of CPU on both sides; the
           vault stores it as it was. "off", the default: nothing is

[[source]]
name = "etc"
path = "/etc"
exclude = ["**/*.swp", "ssl/private/**"]
every = "1h"`

func (c *Sender) settings() []setting {
	return slices.Concat(c.linkSettings(), c.Repeat.settings(), c.expertSettings())
}

func (c *Sender) linkSettings() []setting {
	return []setting{
		{key: "name", value: quote(c.Name), comment: "This host's name in the vault, where restore points lie under NAME/SOURCE. The receiver trusts this\nhost's key under the same name: change both together."},
		{key: "to", value: quote(c.To.String()), comment: "Address and UDP port of the receiver, as in its `listen`. Nothing ever comes back from there."},
		{key: "receiver", value: quote(c.Receiver), comment: "Public key of the receiver, as `weir-recv init` printed it. Only the holder of its secret key can read\nwhat is sent; with another key here that receiver drops everything."},
		{key: "rate", value: quote(c.Rate.String()), comment: "Bits a second on the wire, Ethernet and IP included: kbit, Mbit or Gbit. The receiver cannot slow the\nsender down, so stay below what the link and the vault's disks sustain; more than that is lost."},
		{key: "overhead", value: quote(c.Overhead.String()), comment: "Parity added to the data. More heals more loss and costs the same share of the rate: 10% heals about\n1 % random loss without a second pass."},
		{key: "burst", value: quote(c.Burst.String()), comment: "The longest outage that parity alone bridges. A longer one needs larger blocks, so more memory on both\nsides: rate x burst x (1 + 1 / overhead) for each block, and at 10% a quarter more, which keeps parity\nfor single frames that are lost beside the outage."},
		{key: "burst_bytes", value: quote(c.BurstBytes.String()), comment: "The most that leaves back to back, in bytes on the wire. More costs less CPU on a fast link; whatever\nbuffer on the way is smallest must hold it."},
		{key: "mtu", value: strconv.Itoa(c.MTU), comment: "Largest IP packet that the whole link carries. 9000 costs less CPU; where one hop carries less,\neverything is lost."},
		{key: "memory", value: quote(c.Memory.String()), comment: "Bound for the blocks under way. `burst` is refused where three blocks do not fit; the receiver's\n`memory` should be twice this."},
		{key: "heartbeat", value: quote(c.Heartbeat.String()), comment: "How often an idle sender says that it is alive and which snapshots it made. A shorter time lets the\nreceiver notice a dead link sooner."},
		{key: "offload", value: strconv.FormatBool(c.Offload), comment: "Let kernel and network card cut frames out of large buffers (UDP GSO). Write false where a driver\ngarbles them; it costs CPU."},
		{key: "cpu", value: "2", off: true, comment: "Keep the thread that seals and sends on this CPU, from 0 on: beyond 10 Gbit/s one that serves no\ninterrupts of the network card. Without it, on any."},
		{key: "key", value: quote(c.Key), comment: "File of this host's secret key, mode 0600. Another key needs a new `weir-recv trust`."},
		{key: "state", value: quote(c.State), comment: "Database of what was sent already. Without it the next snapshots send everything again."},
		{key: "socket", value: quote(c.Socket), comment: "Socket through which `weir-send push` hands its work to a running `weir-send run`."},
		{key: "metrics", value: quote(c.Metrics), comment: "File of metrics that `weir-send run` writes every five seconds, for the textfile collector of Prometheus:\nname it NAME.prom in the collector's directory. \"\": none."},
		{key: "log_level", value: quote(c.LogLevel), comment: "What is logged: debug, info, warn or error, each with all that is graver."},
		{key: "log_format", value: quote(c.LogFormat), comment: "json: a JSON object a line; console: for people; auto: console on a terminal, otherwise json."},
	}
}

func (c *Sender) expertSettings() []setting {
	return []setting{
		{key: "k", value: "200", off: true, comment: "For experts: k data and m parity shards of `depth` symbols each, instead of overhead and burst, which\nthen must not be given. k + m is at most 256; outages of m x depth frames are bridged."},
		{key: "m", value: "20", off: true, comment: "Parity shards; see k."},
		{key: "depth", value: "96", off: true, comment: "Symbols of a shard; see k."},
		{key: "symbol", value: strconv.Itoa(c.maxSymbol()), off: true, comment: fmt.Sprintf("For experts: bytes of data in a frame, a multiple of %d; without it, the largest that the MTU allows.", protocol.SymbolAlign)},
	}
}

const receiverHead = `Configuration of weir-recv (TOML). Relative paths start at the directory of this file.
A changed value counts from the next start of the program.`

const receiverTail = `Several links that carry the same blocks together: write, instead of the line ` + "`listen`" + `, a table for each
lane.
  listen     address and UDP port on which its frames are received
  interface  the interface by which they must come in; may be left out
  cpu        the CPU that its thread is kept on; may be left out
A fast link can have several lanes, of one interface and different ports: its card then deals frames out to
several CPUs, and each lane has a socket and a thread.

[[lane]]
listen = "10.77.0.2:4600"
interface = "eth1"

What is kept of the sources, one table for one or for many. Without any, nothing is ever removed and
nothing is bounded. For each key the first table counts that matches a source and gives it: write the
narrow ones first.
  sender, source  names, or patterns like "db-*"; without the line, all
  keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly
            keep the N newest restore points, and the newest of each of the last N hours, days, weeks,
            months and years that have one; what none of them keeps is removed. Times are the vault's.
  min_age   nothing younger is removed
  lock      no command removes a restore point before this time has passed since it was published. It can
            be made longer, never shorter: weir-recv refuses to start with less than it has promised.
  quota     bytes of content that a source may fill; beyond that its new data is not stored
  max_objects  how many different contents of files a source may have stored: each takes an inode of the
            disk, however small it is. Manifests on their way count too: leave some room for them.
  mass_change  "off": snapshots of this source never count as a mass change, which keeps older restore
               points until somebody says weir-vault accept
  max_changed, max_gone, max_encrypted
               from which share of its files on ("50%", "50%", "10%") a change is one, if the source
               itself has not shown as much before
  max_growth   from which growth or shrinking of its size on ("300%")
  expect_every        a whole restore point is expected this often; when none comes, also a tenth of the
                      time later, an error is logged, daily
  size_min, size_max  the newest restore point is expected to be within
  not_whole_after     as above, for this source

[[source]]
sender = "prod"
source = "db-*"
keep_last = 3
keep_daily = 14
keep_monthly = 12
min_age = "24h"
lock = "30d"
quota = "2TB"
max_objects = 5000000
expect_every = "24h"
size_min = "100GB"
size_max = "2TB"

Senders that are listened to, each a table that ` + "`weir-recv trust NAME KEY`" + ` adds below; a sender that
changes its key has a table for each of the two:
  name   directory of the vault in which its restore points lie
  key    its public key, as ` + "`weir-send init`" + ` printed it; without the table all that it sends is dropped
  quota  bytes of content that all of its sources may fill together; may be left out
  max_objects  and how many contents of files, as above
A table [[revoked]] with name and key, which ` + "`weir-recv revoke`" + ` adds, takes a key's trust for good. Leave it
here even when the key's [[sender]] is gone: it also keeps what the key signed from being published.`

func (c *Receiver) settings() []setting {
	return []setting{
		{key: "vault", value: quote(c.Vault), comment: "Directory of the vault. Another directory begins an empty vault; the old one stays as it is."},
		{key: "listen", value: quote(c.Listen.String()), comment: "Address and UDP port on which frames are received: the address of the interface at the one-way link."},
		{key: "memory", value: quote(c.Memory.String()), comment: "Bound for all blocks that are being put together, of all senders; one alone may use all of it, where\nseveral send at once each has an equal share. With less, blocks are given up sooner under loss; a\nsender whose blocks do not fit is refused."},
		{key: "min_free", value: quote(c.MinFree.String()), comment: "Disk space kept free, as a size or a share of the file system (\"5%\"). Below it new data is not stored;\nnothing stored is deleted to make room."},
		{key: "max_manifest", value: quote(c.MaxManifest.String()), comment: "Largest manifest of a snapshot, about 250 bytes a file. A larger one is refused, so that a sender in\nan attacker's hands cannot keep the vault busy with one."},
		{key: "buffer", value: quote(c.Buffer.String()), comment: "Socket buffer for frames that wait for the program. 64MiB bridges half a second at 1 Gbit/s. Larger\nthan net.core.rmem_max needs CAP_NET_ADMIN."},
		{key: "offload", value: strconv.FormatBool(c.Offload), comment: "Let the kernel merge frames before handing them over (UDP GRO). Write false where a driver garbles\nthem; it costs CPU."},
		{key: "cpu", value: "2", off: true, comment: "Keep the thread that receives on this CPU, from 0 on: beyond 10 Gbit/s one that serves no interrupts of\nthe network card. Without it, on any."},
		{key: "confinement", value: quote(c.Confinement), comment: "What the kernel takes from weir-recv before the first frame: sockets, sending, starting programs, files\nelsewhere. strict: all of it or no start; best-effort: what this kernel has, and a warning; off."},
		{key: "key", value: quoteList(c.Keys), comment: "File of this host's secret key, mode 0600, or a list of files: then frames to any of them are taken.\nFILE.old beside each counts too, while it is there: `weir-recv rotate-key` leaves the last key in it, so\nthat senders can move to the new one one by one."},
		{key: "state", value: quote(c.State), comment: "What must outlive a restart: the highest session of each sender. Without it recorded old frames\ncould be played in again once."},
		{key: "prune_every", value: quote(c.PruneEvery.String()), comment: "How often restore points are removed that no rule below keeps. \"0s\": only `weir-vault prune` does it."},
		{key: "clock_hold", value: quote(c.ClockHold.String()), comment: "How long a leap ahead of this host's clock must last before the vault's own clock follows it. Nothing\nis removed meanwhile. \"0s\": at once, so that a wrong clock may date and remove what it should not."},
		{key: "scrub_every", value: quote(c.ScrubEvery.String()), comment: "How often all that is stored is read again and compared. \"0s\": only `weir-vault scrub` does it. Damage\nthat is not found in time may outlive the last good copy elsewhere."},
		{key: "scrub_rate", value: quote(c.ScrubRate.String()), comment: "Bytes a second that a scrub may read. More ends sooner and takes more of the disk from what arrives."},
		{key: "status", value: quote(c.Status), comment: "Directory for status.html, status.json and weir.prom, readable for all: let a web server or the textfile\ncollector of Prometheus look there. \"\": .weir/status in the vault, which only its owner can read."},
		{key: "status_every", value: quote(c.StatusEvery.String()), comment: "How often the status files are written."},
		{key: "silent_after", value: quote(c.SilentAfter.String()), comment: "Nothing from a trusted sender for this long is an error, logged daily; idle senders send heartbeats.\nShorter than two of their `heartbeat` makes false alarms. \"0s\": never."},
		{key: "not_whole_after", value: quote(c.NotWholeAfter.String()), comment: "A snapshot that is not whole for this long is an error, logged daily. Longer leaves later passes the\ntime to fill the holes. \"0s\": never."},
		{key: "full_within", value: quote(c.FullWithin.String()), comment: "A disk that will be full within this time, at the pace of the last days, is an error. \"0s\": never."},
		{key: "attestation_key", value: quote(c.AttestationKey), comment: "File of the key that signs what can be restored each day, mode 0600. Made at the first start; print its\npublic part with `weir-recv key --attestation`. With another key, earlier files need the earlier one."},
		{key: "log_level", value: quote(c.LogLevel), comment: "What is logged: debug, info, warn or error, each with all that is graver."},
		{key: "log_format", value: quote(c.LogFormat), comment: "json: a JSON object a line; console: for people; auto: console on a terminal, otherwise json."},
	}
}

// Render returns the text of a commented configuration file, without sources.
// Relative paths stay as they are.
func (c *Sender) Render() []byte { return render(senderHead, c.settings(), senderTail) }

// Render returns the text of a commented configuration file, without senders.
// Relative paths stay as they are.
func (c *Receiver) Render() []byte { return render(receiverHead, c.settings(), receiverTail) }

// WriteSender writes c.File, which must not exist (keys.ErrExists), after
// checking its content as LoadSender does.
func WriteSender(c Sender) error {
	text := c.Render()
	if _, err := ParseSender(c.File, text); err != nil {
		return err
	}
	return writeNew(c.File, text)
}

// WriteReceiver writes c.File, which must not exist (keys.ErrExists), after
// checking its content as LoadReceiver does.
func WriteReceiver(c Receiver) error {
	text := c.Render()
	if _, err := ParseReceiver(c.File, text); err != nil {
		return err
	}
	return writeNew(c.File, text)
}

func writeNew(path string, text []byte) error {
	if err := keys.WriteNew(path, text, keys.FileMode); err != nil {
		return fmt.Errorf("writing the configuration %s: %w", path, err)
	}
	return nil
}
