// Package vault stores what came over the link, so that it survives a power cut
// and can be read without weir. It knows no frame and no protocol.
//
// # Layout
//
//	VAULT/<sender>/<source>/<name>/       a restore point, read-only
//	    data/                             the tree: hard links to objects
//	    manifest.jsonl manifest.sig SHA256SUMS
//	VAULT/.weir/objects/<sender>/ab/<id>  complete objects, 0444
//	VAULT/.weir/incoming/<sender>/<id>    partial ones, and <id>.map: what of them is there
//	VAULT/.weir/pending/<sender>/<source>/<name>/  snapshots that are not whole
//	VAULT/.weir/staging/                  restore points while they are built
//	VAULT/.weir/catalog.db                index of objects; can be rebuilt
//	VAULT/.weir/events.jsonl              what happened, each line holding the hash of the one before
//	VAULT/.weir/events.head               number and hash of its last line
//	VAULT/.weir/locks/<sender>/<source>.json  until when each restore point is locked
//	VAULT/.weir/manifests/                a second copy of each manifest, packed, and of its signature
//	VAULT/.weir/damaged/                  what a scrub found damaged and has not come again yet
//	VAULT/.weir/scrub.json                how far the scrub is
//	VAULT/.weir/usage.json                what each source fills, where there are quotas
//	VAULT/.weir/trash/                    restore points that were removed, while they are taken apart
//	VAULT/.weir/requests/                 what operators' commands ask of the one writer
//	VAULT/.weir/clock                     the latest time that the vault has seen
//	VAULT/.weir/lock                      held by the one writer
//
// # Discipline
//
// An object is trusted when the catalog has it. It gets there only after its
// content was compared with its SHA-256 and after the file and its directory
// were synced. A file in objects/ that the catalog lacks was written shortly
// before a crash: it is read and compared again before it is used.
//
// A restore point is published in this order: objects synced and in the catalog;
// the tree of links, the manifest, its signature and SHA256SUMS built below
// staging/ and synced, directories too; a mark in the pending snapshot; one
// rename; the parent directories synced; the mark removed, and from here on the
// restore point is listed as whole; the event written and synced; the pending
// snapshot removed. What was cut anywhere before the rename is swept away at the
// next start and built anew; what was cut behind it is brought to its end.
//
// After a failed write or sync the pages cannot be trusted, whatever a second
// sync says (the error is reported once, fsync(2)): the object is dropped and
// counts as missing until it comes again. Of a partial object what its map
// claims stays, as that was synced before; the rest is written anew.
package vault
