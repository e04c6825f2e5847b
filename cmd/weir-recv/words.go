package main

// Words for the people who type the commands.
const (
	checkShort = "Look whether this host is fit to receive, and silent"
	checkLong  = `check looks at the interface at the link, at what makes the kernel send of its own
accord, at buffers, disk, clock and keys. It prints how each is and the command
that mends it, and changes nothing.

It ends with 0, or with 3 if something must be mended: data would be lost, or
frames leave this host. What could merely be better is marked warn.`
	jsonFlag = "print JSON"
	checkBad = "something must be mended; each finding says how"

	rootShort = "Receive snapshots from a one-way link into a vault"
	rootLong  = `weir-recv listens at the receiving end of a one-way link and stores what arrives
in a vault, as plain files. It never sends anything.

Exit codes: 0 good, 1 failed, 2 usage or configuration, 3 something is damaged
or not whole.`
	configFlag = "configuration file"

	initShort = "Make this host's key, configuration and vault"
	initLong  = `init makes the key to which senders encrypt, a commented configuration and the
directory of the vault. It prints the public key alone on stdout; what to do
next on stderr. A key or configuration that exists is never overwritten.`
	initExample = `  weir-recv init --vault /srv/vault --listen 10.77.0.2:4600 > receiver.pub`
	vaultFlag   = "directory of the vault"
	listenFlag  = "address and port to listen on"

	// Path of the configuration, listen address, fingerprint.
	initDone = `Wrote %[1]s.
This receiver's public key stands above; fingerprint %[3]s.
Next, carry it to the production host, as a file or by hand, and type there:
    weir-send init --name NAME --to %[2]s --receiver @FILE --rate 900Mbit
`
	keptKey  = "The key %s was there already and is kept.\n"
	keyShort = "Print this host's public key"
	keyLong  = "key prints the public key alone on stdout, and its fingerprint on stderr."
	keyDone  = "Fingerprint %s.\n"

	attestationFlag = "print instead the line for allowed_signers by which ssh-keygen checks attestations"

	confThere = "%s exists already and is not overwritten: edit it, or name another place with --config"

	trustUse   = "trust NAME KEY|@FILE"
	trustShort = "Listen to a sender"
	trustLong  = `trust adds a sender to the configuration: its name, which becomes a directory of
the vault, and its public key as weir-send init printed it (or @FILE, @- for
stdin). The rest of the file stays as it is.`
	trustExample = `  weir-recv trust prod weir-send-1-...`
	// Name, fingerprint, path of the configuration.
	trustDone = `Sender %q is trusted, fingerprint %s, in %s.
A running weir-recv takes it up when it starts again.
`
	trustKnown = "Sender %q is trusted already, fingerprint %s, in %s. Nothing changed.\n"

	// Vault, error.
	notWritable  = "the vault %s cannot be written once root's powers are given up: %w; run weir-recv as the user that owns it, or give it to this one with chown -R"
	explainFlag  = "print how the running process is confined, and end"
	confineOff   = "the process is not confined: the configuration says confinement = \"off\""
	confineCalls = "system calls that stay possible: %s\n"
	runShort     = "Receive and store, until stopped"
	runLong      = `run is the service: it listens for senders that are trusted, and stores what they
send in the vault. It logs every restore point that is whole, every one that is
not with what lacks, and every loss. SIGINT or SIGTERM end it in good order.

With --exit-after or --exit-idle it ends by itself, with 3 if fewer restore
points became whole than were asked for, or if one that it saw is not whole.`
	exitAfterFlag = "end after `N` restore points became whole"
	exitIdleFlag  = "end when nothing came for this long, as in 30s"
	startedWords  = "listening"
	stoppedWords  = "stopped"
	kernelWords   = "frames came in but the receive buffer was full: this host is too slow or busy; lower rate on the sender, or raise buffer"
	noSenders     = "no sender is trusted yet, so nothing will be stored: weir-recv trust NAME KEY"
	// Address.
	listenFailed = "listening on %s: %w; end the program that holds it, or change listen in the configuration"
	// Restore points asked for, made.
	tooFewWhole = "%d restore points were asked for, %d became whole; see weir-vault list"
	// Snapshots not whole.
	someNotWhole = "%d snapshots are not whole; see weir-vault list"
)
