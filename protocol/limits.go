package protocol

// Constants of the specification. They do not tune anything: changing one
// makes another protocol.
const (
	// Version is the first byte of every frame.
	Version = 1

	// HeaderSize is the length in bytes of a symbol frame's header, which is
	// the additional data of the seal.
	HeaderSize = 48
	// TagSize is the length in bytes of the AES-GCM tag that ends the frame.
	TagSize = 16
	// FrameOverhead is what a symbol frame has beside its symbol, in bytes.
	FrameOverhead = HeaderSize + TagSize

	// SymbolAlign divides every symbol size: 64 bytes is what the vector code
	// of the erasure coding works on.
	SymbolAlign = 64
	// MinSymbol is the smallest symbol, in bytes.
	MinSymbol = 64
	// MaxSymbol is the largest symbol, in bytes.
	MaxSymbol = 8896
	// SymbolMTU1500 fills a 1500-byte MTU: 1408 + 64 + UDP 8 + IPv4 20.
	SymbolMTU1500 = 1408
	// SymbolMTU9000 is the largest multiple of 64 that fits a 9000-byte MTU.
	SymbolMTU9000 = 8896
	// MaxFrame is the length in bytes of the longest frame.
	MaxFrame = FrameOverhead + MaxSymbol

	// MaxShards bounds k+m: the size of GF(2^8).
	MaxShards = 256
	// MaxLanes bounds the links that carry one session together.
	MaxLanes = 8
	// laneShift is where the lane stands in a sequence.
	laneShift       = 56
	maxLaneSequence = 1<<laneShift - 1
	// MaxDepth bounds the symbols of a shard.
	MaxDepth = 4096
	// MaxBlockBytes bounds a block, parity included: 256 MiB.
	MaxBlockBytes = 256 << 20

	// MaxName bounds the names of senders and sources, in bytes.
	MaxName = 64
	// MaxObject is the first object size that is refused, in bytes. Sizes and
	// offsets below it can be added without overflow of an int64.
	MaxObject = 1 << 62
	// MaxHeartbeatSources bounds the sources that one heartbeat tells of.
	MaxHeartbeatSources = 256
	// MaxPlain bounds the content of one Compressed record, in bytes, and the
	// window of its frame: 4 MiB.
	MaxPlain = 4 << 20
	// MaxExpansion bounds the content of a block's Compressed records, in bytes a
	// byte of the block.
	MaxExpansion = 64
	// MaxHoles bounds the holes that one End record lists.
	MaxHoles = 1 << 16
)
