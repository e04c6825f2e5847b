// Package masschange tells whether a snapshot differs from the one before it as
// no snapshot of that source did: because somebody encrypted or deleted it, or
// because much was changed on purpose. It cannot tell these two apart; a person
// can.
//
// What counts are shares of the files that there were before: those whose
// content changed, those that vanished, those that were overwritten with content
// that looks random, and the size of all. Each is held against a limit and
// against the most that the source itself has shown. A source that changes all
// over each day, as dumps do, so raises no alarm by that.
//
// What this does not see: a change of a few percent of the files at a time,
// sources of fewer than MinFiles files, and encryption of content that looked
// random before, as far as not many files are changed at once.
package masschange
