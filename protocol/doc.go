// Package protocol is the bytes that weir puts on a one-way link, and nothing
// else: no I/O, no clock, no goroutine. This comment is the specification; a
// second receiver can be written from it alone, and testdata/vectors holds
// golden and bad examples of everything in it.
//
// # Conventions
//
// All integers are big-endian and unsigned unless said otherwise. Bytes called
// reserved are zero and a receiver refuses a frame in which they are not. A
// name is 1 to 64 bytes of a-z 0-9 . _ - and begins with a letter or a digit.
// Times are signed 64-bit nanoseconds since 1970-01-01T00:00:00Z (UTC). A hash
// is SHA-256 (FIPS 180-4).
//
// # Roles
//
// A sender has an Ed25519 key (RFC 8032); its key id is the first 8 bytes of
// the hash of the 32-byte public key. A receiver has an HPKE key (RFC 9180) of
// the hybrid KEM MLKEM768-X25519 (X-Wing, draft-ietf-hpke-pq, KEM id 0x647a).
// Each side got the other's public key by hand. Nothing ever flows from the
// receiver to the sender.
//
// # Frames
//
// One UDP datagram is one frame. It begins
//
//	0  version  1 byte, 1
//	1  kind     1 byte: 1 announce, 2 symbol
//
// A receiver drops every datagram of another version or kind, or of a length
// that its kind does not have.
//
// # Announce frames
//
// An announce opens a session: one stretch of sending under one key. It is
// repeated, bit for bit the same, for as long as the session lasts, so that a
// receiver may begin to listen at any time.
//
//	0     version, kind 1
//	2     reserved     2 bytes
//	4     session      8 bytes, random, different for every session
//	12    key id       8 bytes, of the sender
//	20    enc       1120 bytes, the HPKE encapsulated key
//	1140  sealed      32 to 95 bytes of parameters + 16 of tag
//	end   signature   64 bytes
//
// HPKE runs in base mode with HKDF-SHA256 and AES-256-GCM, info is the ASCII
// string "weir announce v1", the additional data of the sealed parameters are
// bytes 0 to 19. The signature is Ed25519 by the sender over the ASCII string
// "weir announce v1", one zero byte, and all bytes of the frame before the
// signature. A receiver looks the key id up among the senders that it trusts,
// verifies the signature, and only then decapsulates. The parameters are
//
//	name       1 byte of length, then the sender's name
//	counter    8 bytes, greater than in every earlier session of the sender
//	start      8 bytes, the sender's clock when the session was made
//	rate       8 bytes, bits per second on the wire
//	k, m       1 byte each  \
//	depth      2 bytes       | the largest of each that
//	symbol     2 bytes      /  a block of the session has
//
// A receiver accepts a session only when its counter is above the highest that
// it has accepted from that sender; it must remember that number, and the
// announce it belongs to, over restarts. The largest announce fits a
// 1500-byte MTU.
//
// From the HPKE context both sides export (RFC 9180, 5.3) the 32-byte traffic
// key with the exporter context "weir v1 traffic key" and the 4-byte nonce
// salt with "weir v1 nonce salt".
//
// # Blocks
//
// A block is the unit of erasure coding. Its bytes are k data shards followed
// by m parity shards; a shard is depth symbols long; all symbols of a session
// have one size, a multiple of 64. The data shards are the records of the
// block, in order, followed by zeros. With D the depth and S the symbol size,
// symbol (shard i, column j) is the bytes from (i*D+j)*S to (i*D+j+1)*S.
//
// For each column j, the symbols (0,j) to (k+m-1,j) are one codeword of the
// Reed-Solomon code over GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1 (0x11d)
// whose (k+m) x k generator is the Vandermonde matrix V[r][c] = r^c (0^0 = 1)
// multiplied by the inverse of its upper k x k part, as in the Backblaze
// library and its descendants. Any k symbols of a column restore it. Symbols
// are sent shard by shard, column by column, so that D neighbouring frames
// belong to D codewords, and an outage of m*D consecutive frames of a block is
// restored.
//
// Limits: 1 <= k, 1 <= m, k+m <= 256; 1 <= D <= 4096; 64 <= S <= 8896, S a
// multiple of 64; (k+m)*D*S <= 256 MiB. All frames of one block carry the
// same k, m, D, S and length; a receiver refuses the ones that differ from the
// first authentic one. No value exceeds the one announced for the session, and
// S equals it.
//
// # Symbol frames
//
//	0   version, kind 2
//	2   symbol     2 bytes, S
//	4   session    8 bytes
//	12  sequence   8 bytes, from 1, one more for each frame of the session; with
//	               several lanes, see below
//	20  block      8 bytes, from 1, one more for each block of the session
//	28  shard      1 byte, 0 to k+m-1
//	29  k          1 byte
//	30  m          1 byte
//	31  lanes      1 byte, how many lanes the session has beside the first, 0 to 7
//	32  column     2 bytes, 0 to D-1
//	34  depth      2 bytes, D
//	36  length     4 bytes, of the block's records: 1 to k*D*S
//	40  reserved   8 bytes
//	48  sealed     S bytes + 16 of tag
//
// The symbol is sealed with AES-256-GCM (NIST SP 800-38D) under the traffic
// key. The nonce is the salt followed by the 8 bytes of the sequence, which
// therefore never repeats in a session, not for parity and not when the
// content of a symbol is sent a second time. Bytes 0 to 47 are the additional
// data. Sequence and identity (block, shard, column) are different things:
// loss, bursts and reordering are counted on the sequence, blocks are filled
// by identity. A receiver delivers a block number once at most and remembers,
// over restarts, a sequence below which it takes nothing more. Parity has no
// integrity of its own: only authentic symbols enter a block.
//
// # Lanes
//
// One session may go over several links at once, its lanes. The first byte of a
// sequence is the lane of the frame, from 0 to the number in the header; the other
// seven count from 1, one more for each frame of that lane. With one lane that is
// a plain count. What is lost, late or doubled is told lane by lane, and frames
// of one block come in any order between them.
//
// Shards are dealt out to lanes: shard i of block b goes to lane (i+b) mod n of n.
// So the loss of one lane takes at most (k+m)/n symbols, rounded up, of each
// column, and with k <= (n-1)*m parity restores that. Announces go over each
// lane. A receiver need not rely on how shards are dealt out.
//
// # Records
//
// Records fill a block one after the other. A record is
//
//	0  kind    1 byte
//	1  length  4 bytes, of the body
//	5  body
//
// Kind 0 (padding) ends the block; so does its end. A body that reaches past
// the block makes the rest of the block invalid. Kinds that a receiver does not
// know are passed over. Bodies have exactly the fields given.
//
// Context (1) comes first in every block but those of heartbeats. The
// following records belong to the snapshot that it names:
//
//	source   1 byte of length, then the name
//	number   8 bytes, of the snapshot, counting up from 1 for each source
//	taken    8 bytes, time
//
// Data (2) is a range of an object's content:
//
//	object   16 bytes, the id
//	offset   8 bytes
//	bytes    the rest; at least 1
//
// End (3) says what an object is when it is whole. Objects may come in any
// order and any number of times; ranges of an object that no Data record ever
// covers (holes of sparse files) are zeros:
//
//	object   16 bytes
//	size     8 bytes
//	hash     32 bytes, of the content, holes read as zeros
//	holes    4 bytes, how many follow; then for each 8 bytes of offset and
//	         8 bytes of length, ascending, apart from each other, inside size
//
// Manifest (4) closes a snapshot. The manifest travels as an object that holds
// the manifest file compressed with Zstandard (RFC 8878):
//
//	object     16 bytes
//	length     8 bytes, of the object
//	size       8 bytes, of the manifest file
//	hash       32 bytes, of the manifest file
//	previous   32 bytes, hash of the source's previous manifest, or zeros
//	signature  64 bytes, Ed25519 over the manifest file in the SSHSIG format
//	           (namespace "weir-manifest", SHA-512), by the sender
//
// Heartbeat (5) is sent when the link is idle, alone in a block, without a
// Context:
//
//	clock    8 bytes, the sender's time
//	sources  2 bytes, how many follow, at most 256; then for each:
//	         name   1 byte of length, then the name
//	         number 8 bytes, taken 8 bytes, hash 32 bytes: of a snapshot of
//	         that source that was sent, and of its manifest
//
// A source may stand in a heartbeat several times, with a snapshot each. A sender
// tells, from heartbeat to heartbeat in turn, all snapshots that it can still
// send again, so that one of which no frame came is missed however long the
// outage was.
//
// KeyChange (6) offers another signing key in place of one that is trusted. It is
// alone in a block, without a Context, and comes again and again, with each
// heartbeat, until the sender signs with the new key:
//
//	sender     1 byte of length, then the sender's name
//	counter    8 bytes, from 1, greater than in every earlier KeyChange of the
//	           sender
//	old        8 bytes, the key id of the key that signs
//	new        32 bytes, the public key that is offered; not the old one
//	proof      64 bytes, Ed25519 by the new key over the ASCII string
//	           "weir key change v1", one zero byte, and all of the body before
//	           the proof
//	signature  64 bytes, Ed25519 by the old key over the same string, a zero
//	           byte, and all of the body before the signature
//
// A receiver takes it only in a session of the sender that it names, signed by a
// key that is trusted for that sender and not revoked, and with a counter above
// the highest that it has taken from the sender. It keeps the offer and tells of
// it; only a person makes the new key trusted, who has compared its fingerprint
// with the one that the sender's host shows. From then on the receiver takes both
// keys. The sender signs with the old one until it is told to change over, and
// that is the whole of the rule that loses nothing: a key that is in use is
// trusted at every moment, however long the person takes, and whether or not the
// sender learns of it. A sender that changed over too early is refused with words
// that say so, its offer is still there to be accepted, and later passes bring
// what was refused.
//
// A manifest is good when any key that is trusted for its sender signed it, as
// passes and repair codes may send manifests again that an earlier key signed.
//
// Calibration (8) says at which rates the following frames of the session leave.
// It is alone in a block, without a Context; all blocks of a calibration hold the
// same record, and the first ones come before the frames that it is about:
//
//	session  8 bytes, of the session
//	first    8 bytes, the sequence of the first frame of the first step, from 1
//	         to 2^40
//	steps    1 byte, how many follow, 1 to 64; then for each, the sequences of one
//	         beginning where those of the one before end:
//	         rate    8 bytes, bits per second on the wire, at least 1
//	         frames  8 bytes, 1 to 2^40
//
// Compressed (7) is a range of an object's content in fewer bytes. It may stand
// for any Data record, and ranges of one object may come as either:
//
//	object   16 bytes, the id
//	offset   8 bytes
//	length   4 bytes, of the content: 1 to 4 MiB
//	frame    the rest: one Zstandard frame (RFC 8878) that holds exactly length
//	         bytes, with a window of at most 4 MiB and no dictionary
//
// The contents of all Compressed records of a block up to the end of any of them
// have together at most 4 MiB + 64 times the bytes of the block up to there; a
// receiver refuses a record that goes beyond, without decompressing it. A record
// of which symbols are missing counts as a whole as missing.
//
// Abandoned (9) tells of snapshots that were begun and whose Manifest will never
// come, as their sender was ended in the midst of them. It is alone in a block,
// without a Context:
//
//	snapshots  2 bytes, how many follow, 1 to 256; then for each:
//	           name   1 byte of length, then the name of the source
//	           number 8 bytes, taken 8 bytes
//
// A receiver need not ask for such a snapshot any longer. It believes this only
// of snapshots of which no Manifest came, and never takes anything for it out of
// restore points that are whole.
//
// Filler (10) says nothing: a receiver passes over it. Its body is zeros. A sender
// may put one anywhere behind the Context, so that content begins where both ends
// copy it fastest: at a multiple of 64 in the block, as it does in memory and in
// the file.
//
// The sizes and offsets of objects are below 2^62.
package protocol
