package protocol

// AppendFiller appends a Filler record of n bytes in all; n is at least
// RecordHeaderSize.
func AppendFiller(b []byte, n int) []byte {
	b = AppendRecordHeader(b, RecordFiller, n-RecordHeaderSize)
	return append(b, make([]byte, n-RecordHeaderSize)...)
}

// FillerFor returns how long a Filler at place n of a block must be, so that what
// comes after it and another head bytes begins at a multiple of SymbolAlign; 0
// for none.
func FillerFor(n, head int) int {
	over := (n + head) % SymbolAlign
	switch {
	case over == 0:
		return 0
	case SymbolAlign-over < RecordHeaderSize:
		return 2*SymbolAlign - over
	}
	return SymbolAlign - over
}
