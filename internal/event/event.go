// Package event holds the stable names that weir's log lines carry in their
// "event" field. Alerts and scripts are written against them: a name is never
// reused for something else, and a new meaning gets a new name.
package event

// Field is the key under which a log line carries its event name.
const Field = "event"

// Names of what both ends say about themselves.
const (
	Started       = "started"
	Stopped       = "stopped"
	BufferClamped = "buffer-clamped"
	Progress      = "progress"
	Failed        = "failed"
)

// Names of what the sender says.
const (
	SnapshotStarted = "snapshot-started"
	SnapshotSent    = "snapshot-sent"
	SnapshotFailed  = "snapshot-failed"
	FileChanged     = "file-changed"
	FileVanished    = "file-vanished"
	FileUnreadable  = "file-unreadable"
	FileSkipped     = "file-skipped"
	SessionStarted  = "session-started"
	SessionFailed   = "session-failed"
	PassSent        = "pass-sent"
	PassFailed      = "pass-failed"
	RepairSent      = "repair-sent"
	SpoolShort      = "spool-short"
	SpoolReleased   = "spool-released"
)

// Names of what the receiver says about the link.
const (
	Confined        = "confined"
	SessionOpen     = "session-open"
	SessionClose    = "session-close"
	AnnounceRefused = "announce-refused"
	FrameDropped    = "frame-dropped"
	FramesLost      = "frames-lost"
	LaneSilent      = "lane-silent"
	LaneBack        = "lane-back"
	LaneFailed      = "lane-failed"
	KernelDropped   = "kernel-dropped"
	BlockHealed     = "block-healed"
	BlockLost       = "block-lost"
	RecordRefused   = "record-refused"
	MemoryFull      = "memory-full"
	ClockSkew       = "clock-skew"
)

// Names of what the receiver says about the vault.
const (
	SnapshotWhole   = "snapshot-whole"
	SnapshotPartial = "snapshot-partial"
	SnapshotUnseen  = "snapshot-unseen"
	ObjectDamaged   = "object-damaged"
	ManifestRefused = "manifest-refused"
	ManifestBroken  = "manifest-chain-broken"
	DiskFull        = "disk-full"
	DiskRoom        = "disk-room"
	DiskError       = "disk-error"
	VaultRecovered  = "vault-recovered"
	SnapshotRemoved = "snapshot-removed"
	LockExtended    = "lock-extended"
	EventsDamaged   = "events-damaged"
	SnapshotDamaged = "snapshot-damaged"
	SnapshotHealed  = "snapshot-healed"
	ObjectHealed    = "object-healed"
	ObjectRefused   = "object-refused"
	ScrubStarted    = "scrub-started"
	ScrubEnded      = "scrub-ended"
	QuotaNear       = "quota-near"
	QuotaFull       = "quota-full"
	ClockJumped     = "clock-jumped"
	ClockBelieved   = "clock-believed"
	DrillPassed     = "drill-passed"
	DrillFailed     = "drill-failed"
)

// Names of what the receiver says about snapshots that will never be finished.
const (
	SnapshotAbandoned = "snapshot-abandoned"
	AbandonedCleared  = "abandoned-cleared"
)

// Names of what the receiver says about what its operator expects, and of what
// it says each day.
const (
	SourceOverdue   = "source-overdue"
	SourceSize      = "source-size"
	SourceNotWhole  = "source-not-whole"
	SourceDoubtful  = "source-doubtful"
	LinkSilent      = "link-silent"
	ClockBehind     = "clock-behind"
	DiskForecast    = "disk-forecast"
	LinkMargin      = "link-margin"
	AlarmEnded      = "alarm-ended"
	CalibrationStep = "calibration-step"
	CalibrationDone = "calibration-done"
	Attestation     = "attestation"
	StatusFailed    = "status-failed"
)

// Names of what is said about keys.
const (
	KeyOffered   = "key-offered"
	KeyTrusted   = "key-trusted"
	KeyRevoked   = "key-revoked"
	KeySwitched  = "key-switched"
	ReceiverKeys = "receiver-keys"
)

// Names of what the receiver says about a source that changed as it never did.
const (
	MassChange         = "mass-change"
	MassChangeAccepted = "mass-change-accepted"
)
