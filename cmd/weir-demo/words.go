package main

// Words for the people who watch.
const (
	usage = `usage: weir-demo [--rm] [DIR]

weir-demo sends DIR, by default a tree of some 300 MB that it makes, from one
weir to another over a link on loopback that loses 2 % at random, repeats,
reorders and goes out once. It ends with 1 if anything is not as it should be.
`
	sayFolder   = "Everything happens in %s\n"
	sayBuild    = "\n1. Building weir-send, weir-recv and weir-vault\n"
	sayTree     = "\n2. Making a tree with awkward names\n"
	sayPair     = "\n3. Pairing: each host makes its key, only public keys are exchanged\n"
	sayLink     = "\n4. A lossy link: 2 %% lost at random, 1 %% repeated, 1 %% reordered, one cut of %d datagrams (%v)\n"
	sayPush     = "\n5. Sending\n"
	sayLost     = "   the link passed %d of %d datagrams: %d lost at random, %d cut out, %d repeated, %d reordered\n"
	sayHealed   = "   the receiver rebuilt %d symbols from parity in %d blocks; %d blocks were lost\n"
	sayPoint    = "\n6. The restore point, as weir-vault lists it\n"
	saySums     = "\n7. Checking it with plain sha256sum -c\n"
	sayNoSums   = "   sha256sum is not on this machine; weir-vault verify does the same:\n"
	sayRestore  = "\n8. Restoring and comparing every file with the original\n"
	sayCompared = "   %d entries are the same: content, mode, time, links\n"
	sayBack     = "\n9. Bytes that came back over the link: %d\n"
	sayEnd      = "\nAll as it should be, in %v. Look around in\n   %s\n"
	sayRemoved  = "\nAll as it should be, in %v.\n"
)
