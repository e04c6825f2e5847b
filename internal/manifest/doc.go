// Package manifest reads and writes the manifest of a snapshot: JSON, one
// object a line, so that jq, grep and people can read it without weir.
//
// The first line is the header, then comes one line an entry in path order,
// the last line is the trailer with the totals:
//
//	{"weir":"manifest","version":1,"sender":"prod","source":"etc","number":42,"taken":"2026-11-23T01:00:00.000000000Z","previous":"<hex>","roots":["/etc"],"tool":"weir-send 1.0"}
//	{"path":"a","kind":"dir","mode":"0755","uid":0,"gid":0,"user":"root","group":"root","mtime":"2026-11-22T20:15:00.000000000Z"}
//	{"path":"a/b","kind":"file","size":3,"sha256":"<hex>","object":"<hex>","mode":"0644","uid":0,"gid":0,"mtime":"…","xattrs":{"user.x":"<base64>"},"holes":[[0,4096]]}
//	{"path":"a/c","kind":"symlink","target":"b","mode":"0777","uid":0,"gid":0,"mtime":"…"}
//	{"path":"a/d","kind":"hardlink","target":"a/b"}
//	{"end":true,"entries":4,"files":2,"bytes":3,"problems":0}
//
// A path or target that is not valid UTF-8 stands in "path64" or "target64" as
// base64 instead; extended attributes with such names stand in "xattrs64",
// their names in base64 too. Times are RFC 3339 in UTC with nine decimals,
// modes octal, hashes and object ids lower-case hex. Fields that are empty are
// left out. A file that the sender sealed with age says in "plain", after
// "object", how many bytes are in it; its size and hash are those of the age file.
//
// An entry has exactly one text. The reader refuses every line that the writer
// would have written otherwise: unknown, repeated or reordered fields, white
// space, other escapes. What a signature covers can then be read in one way
// only.
//
// Paths are compared byte by byte with '/' below every other byte, which is
// the order of a depth-first walk with sorted names: everything below a
// directory follows it at once. So one look back is enough to see that no
// entry stands below a file or a symlink, and neither end ever holds more than
// two entries in memory.
//
// The signature beside the manifest is an OpenSSH one, see Armor.
package manifest

import "errors"

// What every error about the content of a manifest wraps.
var (
	ErrManifest  = errors.New("the manifest is not well formed")
	ErrPath      = errors.New("not a valid path")
	ErrOrder     = errors.New("the entry is out of order")
	ErrLimit     = errors.New("a limit is exceeded")
	ErrSignature = errors.New("not a valid signature file")
)

// Version of the format, in the header line.
const Version = 1

// Limits of the format, in bytes unless said otherwise. Each is checked before
// anything is allocated for it.
const (
	MaxPath       = 64 << 10 // of a path in all; more than PATH_MAX is legal
	MaxComponent  = 255      // of one name in a path: NAME_MAX of Linux
	MaxTarget     = 4095     // of a symlink's target: PATH_MAX less the NUL
	MaxSize       = 1 << 62  // of a file
	MaxXattrName  = 255      // XATTR_NAME_MAX of Linux
	MaxXattr      = 64 << 10 // of one value: XATTR_SIZE_MAX of Linux
	MaxXattrs     = 1 << 20  // of all values of one entry
	MaxXattrNames = 64 << 10 // of all names of one entry: XATTR_LIST_MAX of Linux
	MaxHoles      = 16 << 10 // holes of one file; a sender sends further ones as zeros
	MaxProblem    = 1024     // of Problem
	MaxOwner      = 256      // of User and of Group
	MaxRoots      = 4096     // roots in the header
	MaxRoot       = 64 << 10 // of all roots together
	MaxTool       = 256      // of Tool
)

// MaxLine is the default limit of a line, newline included. Every entry within
// the limits above fits, whatever its bytes are.
const MaxLine = 4 << 20

// MaxEntries is the default limit of the number of entries.
const MaxEntries = 100_000_000
