package event

import (
	"fmt"
	"strings"
)

// Entry describes one event for the reader of a log.
type Entry struct {
	Name    string // the value of the "event" field
	Level   string // the level at which it is logged: "debug", "info", "warn" or "error"
	Meaning string // one line: what happened, and what the line's fields say
}

// Table lists every event, in the order in which the README shows them.
var Table = []Entry{
	{Started, "info", "the program runs; fields name its version, addresses and limits"},
	{Stopped, "info", "the program ends in good order; fields say why and give the totals"},
	{BufferClamped, "warn", "the kernel granted a smaller socket buffer than asked for; the line names the sysctl to set"},
	{Progress, "info", "work goes on: bytes done, rate, time left"},
	{Failed, "error", "the command ends with an error"},

	{SnapshotStarted, "info", "the sender begins to read a source"},
	{SnapshotSent, "info", "the last frame of a snapshot has left; sent, which is not stored"},
	{SnapshotFailed, "error", "a snapshot could not be finished; what was read is sent, no manifest follows"},
	{FileChanged, "warn", "a file changed while it was read; its content in this snapshot is not good"},
	{FileVanished, "warn", "a file was there when the tree was read and gone when its turn came"},
	{FileUnreadable, "warn", "a file or directory could not be read; the reason is in the line"},
	{FileSkipped, "warn", "a FIFO, socket or device is left out"},
	{SessionStarted, "info", "the sender opened a session: new key, counter, geometry"},
	{SessionFailed, "error", "the sender could not make its next session, as where its disk is full; the present one goes on, and it is tried again"},
	{PassSent, "info", "a later pass or a refresh of a snapshot has left; a line of level warn says how much of it changed or vanished since"},
	{PassFailed, "error", "a later pass or a refresh could not be sent; it is tried again"},
	{RepairSent, "info", "what a repair code asked for has left"},
	{SpoolShort, "warn", "the spool could not keep content for its later passes; fields say of how many files, and why"},
	{SpoolReleased, "info", "the spool does not keep the content of a snapshot any longer; the line says why"},

	{Confined, "info", "the kernel holds what the receiver may do; a line of level warn names a layer that is missing"},
	{SessionOpen, "info", "a sender's announce was accepted; fields give sender, counter, rate and geometry"},
	{SessionClose, "info", "a session ended; the next one has replaced it"},
	{AnnounceRefused, "warn", "an announce was refused: unknown sender, bad signature, other key or old counter; repetitions are counted by `frame-dropped`"},
	{FrameDropped, "warn", "datagrams that are no frames of an open session were dropped; fields count them by reason"},
	{FramesLost, "warn", "frames are missing from the sequence; fields give how many and the longest run"},
	{LaneSilent, "error", "nothing comes over one lane of a session while the others go on; the field healed says whether parity makes up for it; repeated daily"},
	{LaneBack, "info", "a lane that was silent, or could not send, works again"},
	{LaneFailed, "error", "the sender cannot send over a lane, or its only link; others go on, and it is tried every second"},
	{KernelDropped, "warn", "the socket's buffer ran over on this host; a larger buffer or a lower rate helps"},
	{BlockHealed, "debug", "parity restored the lost symbols of a block"},
	{BlockLost, "warn", "a block lost more than its parity could restore; the ranges in it are missing"},
	{RecordRefused, "warn", "a block held a record that breaks the specification; the rest of the block was kept out"},
	{MemoryFull, "error", "new blocks were refused because the disk is slower than the link and the memory is used up"},
	{ClockSkew, "error", "the sender's clock differs from the receiver's by the time given; repeated daily"},

	{SnapshotWhole, "info", "a restore point is published: every file is there with its SHA-256, on stable storage"},
	{SnapshotPartial, "warn", "the link is quiet and a snapshot is not whole; fields give missing files and bytes"},
	{SnapshotAbandoned, "warn", "the sender was ended in the midst of a snapshot and will never finish it; nobody need send it again"},
	{AbandonedCleared, "info", "what arrived of abandoned snapshots was removed, a week later, as far as no other snapshot lists it"},
	{SnapshotUnseen, "warn", "a heartbeat names a snapshot of which nothing has arrived"},
	{ObjectDamaged, "warn", "all bytes of an object are there and its SHA-256 is wrong; it counts as missing"},
	{ManifestRefused, "error", "a manifest is malformed, unsigned or signed by another key; its snapshot is not published"},
	{ManifestBroken, "warn", "a manifest does not name the hash of the one before it"},
	{DiskFull, "error", "free space fell under min_free, or a write found no space; new data is not stored"},
	{DiskRoom, "info", "there is space again; new data is stored"},
	{DiskError, "error", "a write, sync or rename failed; the object counts as missing"},
	{VaultRecovered, "info", "work of an earlier run was found at start and taken up"},
	{SnapshotRemoved, "info", "retention removed a restore point, or an operator dropped a snapshot that was not whole; the line says why"},
	{LockExtended, "info", "an operator made the lock of a restore point longer; in the vault's event log only"},
	{EventsDamaged, "error", "the vault's event log is not what was written: edited, cut or out of order"},
	{SnapshotDamaged, "error", "a restore point that was whole is not any more; it is listed as partial until what lacks comes again"},
	{SnapshotHealed, "info", "a damaged restore point, or one of its files, is good again"},
	{ObjectHealed, "info", "an object that was damaged came again and is linked wherever it belongs"},
	{ObjectRefused, "error", "a sender has too many objects that are not complete; new ones are not stored; in the vault's event log"},
	{ScrubStarted, "info", "all that is stored is read again and compared"},
	{ScrubEnded, "info", "a scrub has read all; fields count what it read and found; level error if it found anything"},
	{QuotaNear, "warn", "a source or sender fills nine tenths of its quota, of bytes or objects, as `limit` says"},
	{QuotaFull, "error", "a source or sender has filled its quota, of bytes or objects, as `limit` says; its new data is not stored, others' is"},
	{ClockJumped, "warn", "this host's clock went forward at a leap; the vault's does not follow before that has lasted clock_hold, and nothing is removed meanwhile"},
	{ClockBelieved, "warn", "a leap of the clock has lasted, or was confirmed with `weir-vault clock --confirm`: the vault goes by it from now on"},
	{KeyOffered, "warn", "a sender offers a new signing key, signed with a trusted one; the line gives fingerprint and command to accept it; repeated daily"},
	{KeyTrusted, "warn", "an operator made a further key of a sender trusted while the receiver runs"},
	{KeyRevoked, "warn", "an operator revoked a key of a sender: nothing that it signs is taken any more"},
	{KeySwitched, "info", "the sender signs with its new key from now on"},
	{ReceiverKeys, "info", "the receiver read its own keys anew; fields say how many there are"},
	{MassChange, "error", "a snapshot differs from those before it as none of its source did: encrypted, deleted, or changed on purpose; it and older restore points are kept until it is accepted"},
	{MassChangeAccepted, "info", "an operator said with `weir-vault accept` that a suspicious restore point is good"},
	{DrillPassed, "info", "a restore drill brought back what the manifest lists; fields give files, bytes and rate"},
	{DrillFailed, "error", "a restore drill could not bring back all that the manifest lists"},

	{SourceOverdue, "error", "the newest whole restore point of a source is older than expect_every allows; repeated daily"},
	{SourceSize, "error", "the newest restore point of a source is smaller or larger than expected; repeated daily"},
	{SourceNotWhole, "error", "snapshots of a source are not whole for longer than not_whole_after; repeated daily"},
	{SourceDoubtful, "error", "a restore point of a source is suspicious and nobody has accepted it, or a revoked key signed the newest; repeated daily"},
	{LinkSilent, "error", "nothing authentic has come from a trusted sender for longer than silent_after; repeated daily"},
	{ClockBehind, "error", "this host's clock is behind the vault's, which never runs back; repeated daily"},
	{DiskForecast, "error", "at the present pace the disk is full within full_within; repeated daily"},
	{LinkMargin, "warn", "the link lost more than parity bridges, or nearly so; the line says what to change; repeated daily"},
	{CalibrationStep, "info", "what became of the frames that `weir-send calibrate` sent at one rate"},
	{CalibrationDone, "info", "the highest rate without loss, 0 for none, and what to set"},
	{AlarmEnded, "info", "something is as expected again; the field alarm names the event"},
	{Attestation, "info", "once a day, also when nothing came: what each source can be restored to; a signed file says the same"},
	{StatusFailed, "error", "a status file, or what stands behind it, could not be written"},
}

// Markdown returns Table as a Markdown table, the form in which the README
// quotes it.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| event | level | meaning |\n| --- | --- | --- |\n")
	for _, e := range Table {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Name, e.Level, e.Meaning)
	}
	return b.String()
}
