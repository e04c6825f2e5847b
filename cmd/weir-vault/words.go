package main

// Words for the people who type the commands.
const (
	rootShort = "Read a vault: list, verify and restore"
	rootLong  = `weir-vault reads what weir-recv stored. It needs no key and no network, and it
may be used while weir-recv runs.

A snapshot is named SENDER/SOURCE/latest, SENDER/SOURCE@NUMBER, or in full, as
in prod/etc/2026-11-23T010000Z.000042.

Exit codes: 0 good, 1 failed, 2 usage or configuration, 3 something is damaged
or not whole.`
	vaultFlag  = "directory of the vault (default: the one in the configuration)"
	configFlag = "configuration file of the receiver"
	noVault    = "finding the vault: %w; name it with --vault DIR"
	badVault   = "opening the vault: %w; name the right directory with --vault DIR"
	badConfig  = "reading the configuration that --config names: %w"
	// Why.
	noRules = `weir-vault: %v
weir-vault: so unless weir-recv runs and does it, the keys of senders, keep_* rules, quotas and clock_hold are not known:
weir-vault: nothing is published or removed by rule; name the vault's configuration with --config FILE
`
	// Configuration, vault.
	otherVault = "%s is of another vault, %s"
	jsonFlag   = "print JSON"

	statusShort = "Show how things stand"
	statusLong  = `status shows what weir-recv last wrote about sources, links, disk and alarms. Where
no weir-recv runs it says so, and shows what the vault itself tells. It ends with 3
if something is not as expected.`
	watchFlag  = "look again every two seconds, until interrupted"
	statusNone = "NO RECEIVER RUNS HERE: this is what the vault tells, and what was last known of links and alarms."
	statusTorn = "WHAT WEIR-RECV WROTE LAST CANNOT BE READ: this is what the vault tells, and links and alarms are not known."
	// Alarms.
	statusBad = "not as expected: %d"

	listUse     = "list [SENDER[/SOURCE]]"
	listShort   = "List the restore points, and the snapshots that are not whole"
	listLong    = `list prints one line a snapshot, the oldest of each source first. Only one that is "whole" has all its files, each with its SHA-256.`
	listExample = `  weir-vault list prod/etc --json`
	listHead    = "SNAPSHOT\tSTATE\tFILES\tSIZE\tREMARKS"
	listEmpty   = "There is no snapshot in this vault."
	// What was asked for.
	listNone = "there is no snapshot of %s in this vault; weir-vault list shows what there is"
	// Size, "5 files".
	lacksFiles    = "lacks %s in %s"
	lacksManifest = "its manifest has not come"
	isBuilding    = "its manifest has come; weir-recv is checking and building it"
	isAbandoned   = "the sender never finished it and will not; later snapshots stand for it"
	isRevoked     = "signer revoked at %s"
	signedRevoked = "%s, revoked at %s"
	hasProblems   = "%s changed, vanished or could not be read on the sender"

	// Why.
	isSuspicious = "SUSPICIOUS: %s"
	isLocked     = "locked until %s"

	acceptUse   = "accept SNAPSHOT"
	acceptShort = "Say that a suspicious restore point is good"
	acceptLong  = `accept takes the mark off a restore point that was published with a mass-change
event, because somebody looked at what changed and knows why. From then on it and
the older restore points of its source are kept no longer than retention says, and
such a change counts as usual for the source.`
	acceptExample = `  weir-vault list prod/etc
  weir-vault show prod/etc@42
  weir-vault accept prod/etc@42`
	acceptDone = "%s counts as good from now on.\n"

	missingUse   = "missing [SNAPSHOT]"
	missingShort = "Say what lacks, and the code that brings it"
	missingLong  = `missing says what a snapshot lacks, or without a name what all lack that are not
whole, and prints one repair code a sender. Type the code on the sender's host:

    weir-send resend CODE

It sends what the code names, and nothing else. A code that is mistyped is
refused, and so is one for another host or another snapshot. To be short, a code
may name somewhat more than what lacks; --file writes the exact one, however
long, to a file that is carried.

For a named snapshot there is a line for each file that is not whole: its path,
quoted, and the byte ranges that lack, each as OFFSET+LENGTH. What a snapshot
holds whose manifest has not come is not known, so its code asks for everything;
with --manifest it asks for the manifest alone, and a second code for what lacks
then. The command ends with 3 if anything lacks.`
	missingExample = `  weir-vault missing
  weir-vault missing prod/etc@42
  weir-vault missing --file /media/stick/repair.weir`
	missingManifestFlag = "ask for manifests only, of snapshots whose manifest has not come"
	missingQRFlag       = "draw the codes as QR codes too (default: on a terminal)"
	missingFileFlag     = "write exact codes to `FILE`, to be carried instead of typed"
	// Number of snapshots.
	missingSum       = "snapshots that are not whole: %d"
	missingNothing   = "Nothing is missing."
	missingAbandoned = "%s was abandoned: the sender was ended in the midst of it and cannot send what it had not read; push the source again, or use a later snapshot"
	// Name of the snapshot, size, "5 files".
	missingLine       = "%s lacks %s in %s.\n"
	missingBuilding   = "%s: its manifest has come; weir-recv is checking and building it, and tells if anything lacks.\n"
	missingNoManifest = "%s: its manifest has not come, so what lacks is not known.\n"
	// Name of the sender, code.
	missingCode = `
On the host of %s, type:

    weir-send resend %s
`
	// Name of the sender.
	missingNoCode = "\nWhat lacks of %s is too much for a code; use --file, or push the sources again.\n"
	// Path, name of the sender.
	missingCarry = "\nCarry %[1]s to the host of %[2]s, and type there:\n\n    weir-send resend --file %[1]s\n"
	// Name of the sender, code.
	missingFileLine = "# for %s\n%s\n"

	showUse   = "show SNAPSHOT"
	showShort = "Describe one snapshot"
	showLong  = `show prints what is known of a snapshot: when it was taken and received, its
state, its totals, and every file that the sender could not save well. With
--files it lists the entries too.`
	filesFlag = "list the entries"

	verifyUse   = "verify [SNAPSHOT | --all]"
	verifyShort = "Read every byte again and check it"
	verifyLong  = `verify reads every file of a restore point, compares it with the manifest and
with SHA256SUMS, checks the sender's signature of the manifest, and looks for
files that do not belong there. It ends with 3 if anything is damaged, or not
whole.`
	verifyExample = `  weir-vault verify prod/etc/latest
  weir-vault verify --all`
	allFlag    = "every snapshot in the vault, save what its sender has abandoned"
	verifyWhat = "name one SNAPSHOT, or say --all"
	// Name of the snapshot, time.
	verifyRevoked = "%s: note that the key which signed it is revoked since %s: whoever had it may have sent this\n"
	// Name of the snapshot.
	verifyRemoved = "%s: it was removed meanwhile\n"
	// Name of the snapshot, files, size.
	verifyGood = "%s: good, %s, %s\n"
	// Name of the snapshot, what is wrong.
	verifyBad  = "%s: %s\n"
	verifySum  = "snapshots that are damaged or not whole: %d of %d"
	notWhole   = "not whole: %s"
	restoreUse = "restore SNAPSHOT DEST [PATH...]"

	restoreShort = "Write files of a snapshot to DEST"
	restoreLong  = `restore writes the tree of a snapshot below the directory DEST, with modes, times,
extended attributes, links and holes, and with owners where that is permitted.
Each file is compared with its SHA-256 while it is copied. PATHs (files,
directories or globs) restrict it to a part.

A file that exists is not overwritten without --overwrite. A snapshot that is
not whole is restored as far as it goes with --partial.`
	restoreExample = `  weir-vault restore prod/etc/latest /tmp/etc
  weir-vault restore prod/etc@42 /tmp/etc passwd 'ssh/*.pub'`
	identityFlag  = "open sealed content with the recovery keys in `FILE`, as age-keygen wrote it"
	encryptedFlag = "restore sealed content as it is stored: age files under their own names"
	// Path, error.
	badIdentity = "reading the recovery key %s: %w; give the file that age-keygen wrote"

	overwriteFlag = "replace files that exist"
	partialFlag   = "restore what there is of a snapshot that is not whole"
	// Name of the snapshot, what lacks.
	restorePartial = "%s is not whole (%s): give --partial to restore what there is, or choose another with `weir-vault list`"
	// Name of the snapshot, why.
	restoreDoubt = "Note that %s is doubtful: %s. `weir-vault list` shows the ones before it.\n"
	// Files, size, destination.
	restoreDone   = "Restored %s, %s, to %s.\n"
	restoreFailed = "%s could not be restored"
	// Name of the snapshot.
	restoreNothing = "the manifest of %s has not come, so there is nothing to restore by; choose another with `weir-vault list`"
	// Number, name of the snapshot.
	restoreProblems = "Note that %s changed, vanished or could not be read on the sender; see weir-vault show %s\n"
	// Number.
	restoreAttributes = "Another owner, mode, time or attribute than they had: %s; see the warnings above\n"

	reindexShort = "Rebuild the catalog from the tree"
	reindexLong  = `reindex throws the catalog away and builds it anew from the restore points, the
pending snapshots and the objects alone. The receiver does that by itself when
it finds the catalog gone or damaged. It must not run meanwhile.`
	// Objects.
	reindexDone = "The catalog holds %s.\n"
)
