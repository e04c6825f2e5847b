package main

// Words of the commands that look after what is stored.
const (
	dropShort = "Give up a snapshot that never became whole"
	dropLong  = `drop forgets a snapshot that is not whole: one that was made up by somebody who had the
sender's key, or that the sender will never finish. It is listed no longer, and what
comes of it later is not taken up again; if that is what you want, ask for it with
weir-vault missing instead. Restore points cannot be dropped, whole or damaged.

Files of it that are complete stay while the sender may count on them, until a later
snapshot of the source is whole; with --free they go at once, where nothing else
lists them. Then push the source again: what is missing comes with that.`
	dropExample  = `  weir-vault drop prod/etc@42`
	dropFreeFlag = "free its complete files too, which the sender may count on"
	// Snapshot.
	dropDone = "%s is dropped.\n"

	eventsShort = "Print the vault's event log, or check it"
	eventsLong  = `events prints what happened in the vault, one line an event. Each event holds the
SHA-256 of the one before. --verify follows that chain and finds what was edited,
cut out or put into another order. A cut at the end shows against the restore
points that are there, against the file events.head, and against a head that
somebody kept elsewhere: --verify prints the present one, --head compares. It
ends with 3 if anything is wrong.`
	eventsExample = `  weir-vault events --json | jq 'select(.event == "snapshot-removed")'
  weir-vault events --verify --head 1042:5f0c...`
	eventsVerifyFlag = "check that nothing was changed or taken out"
	eventsHeadFlag   = "`SEQUENCE:SHA256` that an earlier --verify printed; the log must still hold it"
	// Number, time, name, snapshot, detail.
	eventsLine = "%6d  %s  %-22s %s %s\n"
	// Number of events, head.
	eventsGood    = "The log is in order: %s. Its head, to keep elsewhere: %s\n"
	eventsDamaged = "the event log is damaged: %s"

	pruneShort = "Remove the restore points that no rule keeps"
	pruneLong  = `prune goes by the [[source]] tables of the receiver's configuration: keep_last,
keep_hourly and so on, min_age and lock. It prints for each restore point whether
it stays and why. The newest whole restore point of a source always stays, and so
does what is locked. Disk space is given back once nothing links a file any more.
A running weir-recv does this by itself every prune_every.`
	dryRunFlag   = "only print what would be removed"
	pruneNoRules = "no configuration with rules for this vault was found: name the receiver's with --config"
	pruneHead    = "\tSNAPSHOT\tRECEIVED\tWHY"
	pruneKeep    = "keep"
	pruneRemove  = "remove"
	// Error.
	pruneTrouble = "Left alone: %s\n"
	pruneLeft    = "sources were left alone, as what is known of them is damaged: nothing of theirs is removed before that is mended"
	// Time.
	pruneHeld = "Nothing is removed before %s by the vault's clock: this host's clock went forward at a leap. Set it right, or see weir-vault clock.\n"
	// Removed, all.
	pruneWould = "%d of %d would be removed.\n"
	pruneDone  = "%d of %d are removed.\n"

	lockShort = "Keep a restore point from being removed before a date"
	lockLong  = `lock makes the lock of a restore point longer. No command removes it before then.
A lock can never be made shorter or taken off.`
	lockExample   = `  weir-vault lock prod/etc/latest --for 90d`
	lockUntilFlag = "`DATE`, like 2027-03-31 or 2027-03-31T12:00:00Z"
	lockForFlag   = "`TIME` from now, like 90d"
	lockWhich     = "say until when: --until DATE or --for TIME"
	lockNoDate    = "%q is no date, write it like 2027-03-31 or 2027-03-31T12:00:00Z"
	// Name of the snapshot, time.
	lockDone = "%s is locked until %s.\n"
)

const (
	clockShort = "Print the vault's time, or confirm a leap of the host's clock"
	clockLong  = `clock prints the vault's own time and that of this host. The vault's never runs
back, and does not follow a leap ahead of the host's clock before that has lasted
clock_hold of the receiver's configuration: until then nothing is removed. After
a long time without power such a leap is right: --confirm believes it at once.
That cannot be taken back.`
	clockConfirmFlag = "believe the host's clock at once"
	// Time, time.
	clockTimes     = "The vault's clock: %s\nThis host's clock: %s\n"
	clockConfirmed = "The vault goes by this host's clock from now on.\n"
	// Time.
	clockDoubt = "This host's clock is ahead at a leap. The vault follows it at %s by its own clock, if it lasts; set it right, or give --confirm.\n"
)

const (
	scrubShort = "Read everything again, and heal what is damaged"
	scrubLong  = `scrub reads all objects, manifests, signatures, sums and the event log, or what
belongs to one SNAPSHOT. What is damaged is named; every restore point that shares it is listed as partial from
then on; and what the vault can heal by itself is made anew. The rest heals when
the source is pushed again in full. A running weir-recv does the reading, also by
itself every scrub_every; without one this command does, and gives the vault to a
weir-recv that starts meanwhile, where it goes on. A scrub of everything that is
cut short goes on where it was. It ends with 3 if anything was found.`
	scrubAllFlag  = "everything in the vault, as without a SNAPSHOT"
	scrubRateFlag = "bytes a `SECOND`, like 100MB; without it as fast as it goes"
	// Error.
	scrubStopped = "no longer watching the scrub (%w); where weir-recv runs it goes on there"
	// Why.
	scrubFailed = "the scrub was cut short: %s; mend that and type the command again, it goes on where it was"
	// Number.
	scrubFound = "%s; weir-vault list shows which restore points are not whole now"
	// Objects, restore points, size.
	scrubGood = "All good: %s, %s, %s read.\n"
)

const (
	drillShort = "Try whether restore points can be restored"
	drillLong  = `drill restores to a scratch directory, all of it or a random sample of --files,
compares what came out with the manifest, removes it again, and enters the result
into the vault's event log. Sealed content is restored as it is stored. It takes the newest whole restore point of the source
that is named, or of every source. It ends with 3 if anything came out wrong.`
	drillExample = `  weir-vault drill prod/etc
  weir-vault drill --files 100 --scratch /var/tmp`
	drillFilesFlag   = "restore a random sample of `N` files"
	drillScratchFlag = "`DIRECTORY` that holds what is restored meanwhile (default: the system's for temporary files)"
	drillTooMany     = "--files takes 1 to %d"
	drillNothing     = "there is no whole restore point to drill with; see weir-vault list"
	drillPassed      = "passed"
	drillFailed      = "FAILED"
	// Snapshot, word, files, size, time, rate.
	drillLine = "%s: %s, %s, %s in %s, %s/s"
	// Error.
	drillNotNoted = "the drill is done, but its result could not be entered into the event log: %w"
	// Failed, all.
	drillSum = "restore points that could not be restored in full: %d of %d"
)
