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
	listenFlag  = "`ADDRESS:PORT` to listen on"

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

	trustUse   = "trust NAME KEY|@FILE | trust NAME --offered FINGERPRINT"
	trustShort = "Listen to a sender, or accept the new key that it offers"
	trustLong  = `trust adds a sender to the configuration: its name, which becomes a directory of
the vault, and its public key as weir-send init printed it (or @FILE, @- for
stdin). The rest of the file stays as it is.

With --offered it accepts the key that a trusted sender offers over the link since
weir-send rotate-key. Have the fingerprint read to you from the sender's host, and
type that, not the one that this host shows: whoever has the old key could offer
one of his own. From then on both keys are good, until the old one is revoked.

A running weir-recv goes by it at once.`
	trustExample = `  weir-recv trust prod weir-send-1-...
  weir-recv trust prod --offered abcd-efgh-ijkl-mnop`
	offeredFlag = "accept the key that the sender offers, if it has this `FINGERPRINT`"
	furtherFlag = "add the key beside those that the name has"
	trustWhat   = "give either KEY or --offered FINGERPRINT"
	// Name, fingerprint, path of the configuration.
	trustDone = "Sender %q is trusted, fingerprint %s, in %s.\n"
	// Fingerprint.
	trustSwitch = `Next, on the sender's host, let it sign with the new key:
    weir-send rotate-key --switch %s
`
	// Name.
	noOffer = "%s offers no key, or the offer has not come yet; weir-recv senders shows what is offered"
	// Name, fingerprint offered, fingerprint given.
	otherOffer = "%s offers another key: its fingerprint is %s, not %s. If that is not what the sender's host shows, somebody else has the sender's key: revoke it"
	toldHolder = "The weir-recv that runs goes by it from now on.\n"

	// Name, fingerprint.
	acceptOffer   = "weir-recv trust %s --offered %s"
	offeredWords  = "a sender offers a new key: have its fingerprint read from the sender's host, and type the command if it is the same"
	offerWaits    = "its sender signs with a key that it offered before and that nobody has accepted: if the sender's host shows the fingerprint %s, run `%s`"
	reloadedWords = "this host's keys were read again"
	reloadFailed  = "%w; this weir-recv is confined and cannot read its keys there: start it again"

	revokeUse   = "revoke NAME FINGERPRINT|KEY"
	revokeShort = "Take a sender's key's trust for good"
	revokeLong  = `revoke says that nothing is taken any more that the key signs: no session, no
manifest, no offer of another key. A running weir-recv ends its sessions at once.

What was stored before stays, and is verified as before; list, show and verify say
that its signer is revoked, as whoever had the key may have sent some of it. A
snapshot that is not whole yet, with a manifest by this key, is not published; it
is when the sender, with a good key, sends it again. A revoked key cannot be
trusted again.`
	revokeExample = `  weir-recv revoke prod abcd-efgh-ijkl-mnop`
	// Fingerprint, name.
	revokeDone  = "The key %s of %q is revoked.\n"
	revokeKnown = "The key %s of %q was revoked before.\n"
	// Name.
	revokeLast = "No key of %q is left: nothing of it is taken until you trust another one.\n"
	// Name, key.
	revokeNone = "%s has no key %.40s; weir-recv senders shows them"
	// Path, error.
	revokeHalf = "the key is revoked in %s, but a weir-recv that runs may not go by it yet: %w; start it again"

	sendersShort   = "Show the keys of senders: trusted, offered, revoked"
	sendersLong    = "senders prints a line for each key of each sender, with its fingerprint."
	sendersHead    = "SENDER\tKEY\tSTATE"
	sendersTrusted = "trusted"
	// Time, name, fingerprint.
	sendersOffered = "offered since %s: weir-recv trust %s --offered %s"
	sendersRevoked = "revoked"
	// Time.
	sendersRevokedAt = "revoked at %s"

	rotateShort = "Make a new key for this host, or retire the one before"
	rotateLong  = `rotate-key makes a new key to which senders encrypt, and prints its public part. The
key before stays beside it, as FILE.old, and sessions to either are taken: each
sender can change over in its own time, with weir-send receiver. When all have,
--retire removes the old key; what is still sent to it is dropped then.

A running weir-recv takes up both at once, if the keys lie beside its state.`
	rotateExample = `  weir-recv rotate-key > receiver.pub
  weir-recv rotate-key --retire`
	retireFlag = "remove the key that the present one has replaced"
	// Path.
	rotateList = "several keys stand under key in %s: make the new one by hand with weir-recv init elsewhere, and put it first"
	// Path.
	rotateTwice = "%s is still there: first let all senders change over, then retire it with weir-recv rotate-key --retire"
	// Fingerprint, path.
	rotateDone = `This receiver's new public key stands above; fingerprint %s.
The one before is in %s and stays good. Next, carry the new one to each sender
and type there:
    weir-send receiver @FILE
When all senders have changed over:
    weir-recv rotate-key --retire
`
	// Path.
	retireNone = "there is no key to retire: %s does not exist"
	retireDone = "The key %s is removed; what is sent to it is dropped from now on.\n"
	trustKnown = "Sender %q is trusted already, fingerprint %s, in %s. Nothing changed.\n"

	// Vault.
	vaultAway = "there is no vault in %[1]s any more, where this receiver has stored: mount its disk and start again; if a new vault is to begin there, mkdir -p %[1]s/.weir first"
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
	unitShort = "Print a systemd unit for run"
	unitLong  = `unit prints a service for systemd that runs this program with this configuration: it
waits until the file systems of the vault are mounted, is started again when it
fails, and may write to nothing but the vault, its state and the status files. Run it
once more when one of these has moved.`
	unitExample = `  weir-recv unit > /etc/systemd/system/weir-recv.service
  systemctl enable --now weir-recv`
	exitAfterFlag = "end after `N` restore points became whole"
	exitIdleFlag  = "end when nothing came for this long, as in 30s"
	startedWords  = "listening"
	stoppedWords  = "stopped"
	kernelWords   = "frames came in but the receive buffer was full: this host is too slow or busy; lower rate on the sender, or raise buffer"
	noSenders     = "no sender is trusted yet, so nothing will be stored: weir-recv trust NAME KEY"
	// Address.
	listenFailed = "listening on %s: %w; end the program that holds it, or change listen in the configuration"
	// Restore points asked for, made.
	tooFewWhole = "%s asked for, %d became whole; see weir-vault list"
	// Snapshots not whole.
	someNotWhole = "snapshots that are not whole: %d; see weir-vault list"
)
