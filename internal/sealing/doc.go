// Package sealing encrypts the content of files to offline recovery keys with age
// (age-encryption.org/v1), so that the vault can store and check what it cannot
// read. What it makes is an ordinary age file: `age -d` opens it.
//
// An age file is random. weir sends the same content again, whole or in parts, as
// the same object, so a Seal keeps what was random about it: its header, and the
// file key from which all else follows. With a Seal any part of the age file can
// be made again from the plain file. Seals stay on the sender's host, where the
// plain file is too.
package sealing
