// Package repaircode is the short text that a person carries from the vault to
// the sender: it names what of which snapshots to send again. The package knows
// no file and no clock; this comment is the specification of the text.
//
// # What a code says
//
// A code has parts, each about one snapshot of a source, or a run of them:
//
//   - Everything: the manifest and the content of the snapshots Number to
//     Number+Count-1.
//   - Manifest: the manifest alone.
//   - Files: whole files, by their ordinals. The files of a manifest that have an
//     object are counted from 0 in the manifest's order.
//   - Units: runs of bytes. The same files lie one after the other in one space,
//     each beginning at a multiple of 4 KiB, so that a burst that hits the end of
//     one file and the twenty small ones after it is one range. A range counts in
//     units of 4 KiB << Scale.
//
// # Bits
//
// Values are written high bit first. E(k) is an exponential Golomb code of order
// k: for v, let q = (v >> k) + 1 have n+1 bits; then n zeros, q, and the low k
// bits of v.
//
//	version   2 bits, 0
//	parts     E(0), less 1
//	then for each part:
//	  same    1 bit, not in the first: the source is that of the part before
//	  source  10 bits, unless same: the first of SHA-256 of the source's name
//	  number  E(5): less 1; or if same, less the first number that the part
//	          before does not reach
//	  kind    2 bits: 0 everything, 1 manifest, 2 files, 3 units
//	  count   E(0), less 1: of snapshots, in kind 0 only
//	  then in the kinds 2 and 3:
//	  scale   5 bits, in kind 3 only
//	  a, b    5 bits each
//	  ranges  E(0), less 1; then for each of them
//	          skipped  E(a): files or units between it and the range before, of
//	                   which there is at least 1 that is not counted; the first
//	                   range counts from 0
//	          length   E(b), less 1; nothing, and 1 is meant, if b is 31
//
// Zeros fill the last 5 bits. A check of 25 bits follows: the first of
// HMAC-SHA-256 over the symbols before it, one in a byte, under a key that Key
// makes of what both sides know of the snapshots: so a code is refused by
// another sender, and for another snapshot than the one that it was made for.
//
// # Text
//
// Each 5 bits are one symbol of Crockford's base32. Every four symbols, and what
// remains at the end, are a group with a check symbol behind them: in GF(32) with
// the polynomial x^5+x^2+1, with the symbols d0 to d3 of group number g (from 0),
//
//	a^(g mod 31) + a*d0 + a^2*d1 + a^3*d2 + a^4*d3
//
// where a is 2. One wrong symbol in a group, or two that changed places, cannot
// go unnoticed, and neither can two groups that did, unless they are a multiple
// of 31 apart; then the check of the whole code catches it nearly always.
package repaircode
