package main

// Words for the people who type the commands.
const (
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
	toFlag      = "address and port of the receiver"
	keyFlag     = "public key of the receiver, or @FILE to read it from a file (@- for stdin)"
	rateFlag    = "bits a second on the wire, such as 900Mbit"
	mtuFlag     = "largest IP packet that the whole link carries, 1500 or 9000"
	overFlag    = "parity added to the data"
	burstFlag   = "longest outage that parity alone bridges; shortened to what the rate allows unless given"

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
)
