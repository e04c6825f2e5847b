package main

// Words for the people who watch.
const (
	usage = `usage: weir-demo [--rm] [DIR]

weir-demo sends DIR, by default a tree of some 300 MB that it makes, from one
weir to another over a link on loopback that loses 2 % at random, repeats,
reorders and goes out once. It ends with 1 if anything is not as it should be.
Everything happens in a new folder below TMPDIR, which stays.

`
	sayFolder = "Everything happens in %s\n"
	sayBuild  = "\n1. Building weir-send, weir-recv and weir-vault\n"
	sayTree   = "\n2. Making a tree: awkward names, links, holes, many small files, a large one\n"
	sayPair   = "\n3. Pairing: each host makes its key, only public keys are exchanged\n"
	saySmall  = "   This system gives receive buffers of %d KiB only, so the rate is %s.\n"
	sayLink   = "\n4. Between them a link that loses %.0f %% at random, repeats %.0f %%, reorders %.0f %% and goes out for %d frames\n"
	sayPush   = "\n5. Sending\n"
	sayLost   = "   The link passed %d of %d frames: %d lost at random, %d cut out; %d came twice, %d out of order.\n"
	sayDrops  = "   This machine was too slow for its own relay, which lost %d more.\n"
	sayHealed = "   The receiver missed %d frames and rebuilt %d symbols in %d blocks from parity; %d blocks were lost.\n"
	sayCPU    = "   CPU time: sender %v, receiver %v.\n"

	sayPublished = "\n6. Published: %s\n"
	saySums      = "\n7. sha256sum -c SHA256SUMS in\n   %s\n"
	sayNoSums    = "   sha256sum is not on this machine; weir-vault verify does the same:\n"
	sayOK        = "   %s OK\n"
	sayRestore   = "\n8. Restoring, and comparing with the original\n"
	sayCompared  = "   %s compared, all the same: content, mode, owner, time, links, holes.\n"
	sayBack      = "\n9. Bytes that came back over the link: %d\n"
	sayEnd       = `
All as it should be, in %v. Look around:
   the vault            %s
   what was restored    %s
   the receiver's log   %s
   all of it            %s
`
	sayKept    = "\nNot as it should be. Look around in %s\n"
	sayRemoved = "\nAll as it should be, in %v.\n"
)
