// Package powercut is a disk for tests: it remembers every write and every flush
// in order, makes from them what a power cut may leave, and fails or stalls when
// it is told to. No program links it.
//
// The disk is a file served over FUSE. A loop device on it carries a real file
// system, so that what is tested is the kernel's journal, not an idea of it. A
// block device promises one thing: what was written before a flush ended is there
// after a cut. Of what came later any part may be there, in any order, and a
// write may be torn between two of its sectors (block/writeback_cache_control in
// the kernel's documentation).
package powercut
