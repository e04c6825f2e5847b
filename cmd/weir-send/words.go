package main

// Words for the people who type the commands.
const (
	checkShort = "Look whether this host is fit to send"
	checkLong  = `check looks at the way to the vault, its neighbour entry, which nobody will tell
when it is asked for, at the interface, buffers, clock and key. It prints how each
is and the command that mends it, and changes nothing.

It ends with 0, or with 3 if something must be mended: frames would not arrive.
What could merely be better is marked warn.`
	jsonFlag = "print JSON"
	checkBad = "something must be mended; each finding says how"

	rootShort = "Send snapshots of files over a one-way link"
	rootLong  = `weir-send reads files on this host and sends them over a link on which nothing
comes back. It can say what was sent, never what was stored: ask the vault for
that.

Exit codes: 0 good, 1 failed, 2 usage or configuration, 3 a file changed,
vanished or could not be read.`
	configFlag = "configuration file"

	initShort = "Make this host's key and configuration"
	initLong  = `init makes the key with which this host signs, and a commented configuration.
It prints the public key alone on stdout; what to do next on stderr. A key or
configuration that exists is never overwritten.`
	initExample = `  weir-send init --name prod --to 10.77.0.2:4600 --receiver @receiver.pub --rate 900Mbit`
	nameFlag    = "name of this host in the vault"
	toFlag      = "`ADDRESS:PORT` of the receiver"
	keyFlag     = "public key of the receiver, or @FILE to read it from a file (@- for stdin)"
	rateFlag    = "`RATE` on the wire in bits a second, such as 900Mbit"
	mtuFlag     = "largest IP packet that the whole link carries, 1500 or 9000"
	overFlag    = "`SHARE` of parity added to the data"
	burstFlag   = "longest outage, a `TIME`, that parity alone bridges; shortened to what the rate allows unless given"

	// Path of the configuration, name, fingerprint.
	initDone = `Wrote %[1]s.
The public key of sender %[2]q stands above; fingerprint %[3]s.
Next, carry it to the vault host and type there:
    weir-recv trust %[2]s KEY
`
	keptKey   = "The key %s was there already and is kept.\n"
	cutBurst  = "At %v a burst of %v needs too much memory; the configuration says %v.\n"
	keyShort  = "Print this host's public key"
	keyLong   = "key prints the public key alone on stdout, and its fingerprint on stderr."
	keyDone   = "Fingerprint %s.\n"
	confThere = "%s exists already and is not overwritten: edit it, or name another place with --config"

	calibrateShort = "Find out at which rate the link begins to lose"
	calibrateLong  = `calibrate sends test frames at rising rates and no data. weir-recv counts them and
logs what was lost at each rate, the highest rate without loss, and what to set.
Here nothing of that is known: look at the receiver's log, event calibration-done.
Where weir-send run is active it does the work, and sends nothing else meanwhile.`
	calibrateExample     = `  weir-send calibrate --from 100Mbit --to 1Gbit --steps 10 --seconds 2`
	calibrateFromFlag    = "`RATE` of the first step"
	calibrateToFlag      = "`RATE` of the last step; 0bit for the rate of the configuration"
	calibrateStepsFlag   = "how many steps, evenly spaced"
	calibrateSecondsFlag = "how long each step takes"
	// Steps, rates, seconds.
	calibrateBegins = "Sending %s from %v to %v, %g s each.\n"
	// The rate that was asked for, and what was reached.
	calibrateMissed = "This host did not keep up: at the step of %v it sent %v. The receiver goes by what came; to learn what the link carries beyond that, calibrate again when this host is idle.\n"
	calibrateDone   = "Sent. What came of it stands in the log of weir-recv on the vault host: look for calibration-done.\n"

	rotateShort = "Change this host's signing key"
	rotateLong  = `rotate-key makes a new signing key and offers it to the receiver over the link, signed
by the present one, with every heartbeat: again and again, however long it takes.
Meanwhile this host goes on signing with the present key, so nothing is lost by
the wait. On the vault host somebody accepts it, by the fingerprint printed here;
only then, with --switch, let this host sign with it: the vault drops what a key
signs that it does not trust.

Where weir-send run is active it does all of this. What it sends again later of
older snapshots it signs with the new key too, so that the old one can be revoked.`
	rotateExample = `  weir-send rotate-key
  weir-send rotate-key --switch abcd-efgh-ijkl-mnop
  weir-send rotate-key --retire`
	switchFlag = "sign with the new key, that has this `FINGERPRINT`, once the vault has accepted it"
	cancelFlag = "offer the new key no longer, and remove it"
	retireFlag = "remove the key that the present one has replaced"
	// Name, fingerprint.
	rotateDone = `The new public key stands above and is offered from now on; fingerprint %[2]s.
This host still signs with the present key. Next, on the vault host, when the offer
has come (weir-recv senders shows it), type there what is read here:
    weir-recv trust %[1]s --offered %[2]s
and after that, here:
    weir-send rotate-key --switch %[2]s
`
	// Fingerprint, path.
	switchDone = `This host signs with the key %[1]s from now on.
The one before is in %[2]s. When all is well, remove it with
    weir-send rotate-key --retire
and let the vault trust it no longer, with weir-recv revoke there.
`
	switchKnown = "This host signs with the key %s already.\n"
	switchNone  = "no key with this fingerprint is offered; weir-send rotate-key makes one"
	// Path.
	rotateTwice = "%s of the last change is still there: remove it first with weir-send rotate-key --retire"
	cancelDone  = "The new key is removed and offered no longer. If the vault has accepted it, revoke it there.\n"
	cancelNone  = "no new key is offered"
	// Path.
	retireNone = "there is no key to remove: %s does not exist"
	retireDone = "The key %s is removed.\n"

	receiverUse   = "receiver KEY|@FILE"
	receiverShort = "Change over to the receiver's new key"
	receiverLong  = `receiver puts the key that weir-recv rotate-key printed into the configuration, in the
place of the one before. The rest of the file stays as it is. A running weir-send
run encrypts to it from then on, between two pieces of work.`
	receiverExample = `  weir-send receiver @receiver.pub`
	// Path of the configuration, fingerprint.
	receiverDone = "In %s the receiver's key is now the one with the fingerprint %s.\n"
	receiverTold = "The running weir-send run encrypts to it from now on.\n"
	receiverHalf = "the configuration is changed, but the running weir-send run goes on with the key before: %w; start it again"

	statusShort = "Show what was sent, how often, and what is next"
	statusLong  = `status asks the running weir-send run; where there is none it says so, and shows
what was sent before. What arrived only the vault knows.`

	planShort = "Reckon time, memory and risk before anything is sent"
	planLong  = `plan reckons what sending SIZE takes with these settings: hours, bytes on the
wire, memory on both sides, and the probability that parity leaves a hole, after
one pass and after several. What no flag says is taken from the configuration, if
there is one. Nothing is sent.`
	planExample   = `  weir-send plan --rate 1Gbit --size 2TB --overhead 10% --burst 50ms --loss 0.1%`
	planSizeFlag  = "`SIZE` of the content, such as 2TB or 500GiB"
	planBurstFlag = "longest outage, a `TIME`, that parity alone is to bridge"
	lossFlag      = "`SHARE` of the frames that the link loses one by one, such as 0.1%"
	passesFlag    = "how often everything is sent"
	planRate      = "--rate is to be from %v to %v, such as 900Mbit"
	planShare     = "--overhead is to be from %v to %v, and --loss less than 100%%"
	planMTU       = "--mtu is to be from %d to %d"
	planNothing   = "--size and --passes are to be more than nothing"
	// Number, k, m, depth, symbol, size of one.
	planBlocks = "%s of %d+%d shards x %d symbols of %d bytes, %s each"
	// Size, frames, percent.
	planWire = "%s in %s frames, %.1f %% more than the content"
	// Time, rate.
	planTime = "%s at %v"
	// Sizes.
	planMemory = "%s on the sender; %s on the receiver, %s where its disk is now and then behind, at most its setting memory"
	// Time bridged, burst, loss, probability.
	planOutage = "%v is bridged; with %v and %v loss in it, a block keeps a hole with %s"
	// Loss, probability, size.
	planLoss = "at %v a column is not healed with %s; a pass leaves %s missing on average"
	// Probability, passes, probability.
	planHole = "one pass leaves one with %s; %d passes with at most %s"
	// Lanes, parity that is needed, k, m.
	planLanesCovered = "of %d one may fail altogether: that takes %d parity shards for %d of data, there are %d"
	planLanesOpen    = "of %d none may fail: one alone is bridged with %d parity shards for %d of data, there are %d; raise overhead"
	// m, k + m.
	planFormula = "binomial tail of a column, P(X > %d) of %d, over all columns; losses independent, passes independent"

	pushUse   = "push --source NAME PATH... | -"
	pushShort = "Take one snapshot and send it"
	pushLong  = `push sends a snapshot of the PATHs, or with - of what it reads from the standard
input. One directory becomes the root of the snapshot; several paths stand under
their last names. All content is sent, also of files that did not change: that
fills what the receiver lacks of earlier snapshots. With --changed only new and
changed files are sent.

Where weir-send run is active, the work is handed to it. The last line says what
was sent. What arrived only the vault knows.`
	pushExample = `  weir-send push --source etc /etc --exclude '*.swp' --exclude 'cache/**'
  pg_dump db | weir-send push --source pg --as db.sql -`
	sourceFlag   = "name of the source in the vault"
	excludeFlag  = "leave out what matches this `GLOB`, by path in the snapshot or by last name; may be repeated"
	asFlag       = "path in the snapshot of what comes from the standard input"
	changedFlag  = "send only files that are new or changed"
	compressFlag = "auto: compress on the wire what gets smaller; off: nothing"
	badCompress  = "--compress %q: write auto or off"
	pushNoName   = "name what comes from the standard input, as in --as db.sql"
	pushBadName  = "the name given with --as is not UTF-8"
	pushNoStream = "--as is for the standard input, given as -"
	// Name, files, size, files sent, bytes sent, bytes on the wire, overhead, rate,
	// seconds.
	pushDone     = "Sent %s: %s, %s; this time %s with %s, %s on the wire%s at %s, in %.1f s.\n"
	pushOverhead = ", overhead %.1f %%,"
	pushProblems = "%s changed, vanished or could not be read, as named above and in the manifest"

	// Name of the source, error.
	badRecipients = "encrypt_to of the source %q: %w"

	runShort = "Send the sources of the configuration on their schedule, until stopped"
	runLong  = `run is the service: it owns the link, sends a snapshot of every [[source]] when it
is due, takes the work of weir-send push, and in between tells the receiver that
it is there. SIGINT or SIGTERM end it.`
	unitShort = "Print a systemd unit for run"
	unitLong  = `unit prints a service for systemd that runs this program with this configuration, and
starts it again when it fails.`
	unitExample = `  weir-send unit > /etc/systemd/system/weir-send.service
  systemctl enable --now weir-send`
	startedWords = "ready to send"
	stoppedWords = "stopped"

	resendUse   = "resend CODE... | --file FILE"
	resendShort = "Send what a repair code of the vault asks for"
	resendLong  = `resend takes the repair code that weir-vault missing, the receiver's log or its
status page shows, says what it asks for, and sends that, before anything else
that waits for the link. Capitals, spaces and hyphens do not matter.

A code that is mistyped is refused, with the group that is wrong; so is a code for
another host, or for a snapshot that is not remembered any more. What it names
and has changed or vanished since cannot be sent: then resend ends with 3, and a
new snapshot is the way.`
	resendExample = `  weir-send resend 60H4V-X2435-Y4G3C-XTS69-Y9
  weir-send resend --file /media/stick/repair.weir`
	resendFileFlag = "read codes from `FILE`, - for stdin; those for other hosts are passed over"
	resendDryFlag  = "say what a code asks for, and send nothing"
	resendNone     = "give a CODE, or --file FILE"
	resendBoth     = "give either codes or --file"
	resendLongFile = "%s is too long for a file of repair codes"
	// Name of the sender, of the snapshot, files, size, with manifest.
	resendPlan = "Asked for: %s/%s: %s, %s%s.\n"
	resendDone = "Sent again: %s/%s: %s, %s%s.\n"
	// Name of the sender, of the snapshot.
	resendLost = "Asked for: %s/%s, of which nothing can be sent: it was never finished, or is too old.\n"
	// Number of snapshots.
	resendLostSum  = "snapshots that were never finished, or are too old to be sent again: %d; later ones hold what they held"
	resendManifest = ", and its manifest"
	// Path.
	resendGoneFile = "  changed or vanished since: %s\n"
	// Number of files.
	resendGone = "%s changed or vanished since and cannot be sent again; a new snapshot holds them as they are now"

	listUse   = "list [SOURCE@NUMBER]"
	listShort = "List what was sent, when and how often"
	listLong  = `list prints a line for each snapshot that is remembered: how much of it was new,
how many of its passes are done, when the last one was and when the next is due.
For a named snapshot it prints each file with content, how often that was sent
whole and when last; one that was sent once went with the first snapshot that has
it. What arrived only the vault knows.`
	listExample = `  weir-send list
  weir-send list etc@42 --json`
	listJSON      = "print JSON"
	listHead      = "SNAPSHOT\tFILES\tSIZE\tNEW\tPASSES\tLAST\tNEXT\tREMARKS"
	listFilesHead = "TIMES\tLAST AGAIN\tSIZE\tFILE"
	listEmpty     = "Nothing has been sent that is remembered."
	// Objects, bytes, limit.
	listSpool = "The spool keeps %s, %s of at most %s.\n"
	// Files, bytes.
	listOwed = "owed and gone: %s, %s"
	// Bytes, time.
	listResent = "%s resent for a code at %s"
	// Time.
	listRefresh = "refresh at %s"
)
