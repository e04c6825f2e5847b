package fec

// Arithmetic of single elements of GF(2^8) with the polynomial 0x11d, the
// library's. Slices go through the library; these few are for the small
// systems that Rebuild solves.
var expTable, logTable = makeTables()

func makeTables() (exp [510]byte, log [256]int) {
	x := 1
	for i := range 255 {
		exp[i], exp[i+255] = byte(x), byte(x)
		log[x] = i
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	return exp, log
}

func mul(a, b byte) byte {
	if a == 0 || b == 0 {
		return 0
	}
	return expTable[logTable[a]+logTable[b]]
}

// inverse returns 1/a for an a that is not zero.
func inverse(a byte) byte { return expTable[255-logTable[a]] }

// invert replaces the n x n matrix in left, rows of n, by its inverse, using
// right as room for n x n more. It reports whether there is an inverse.
func invert(left, right []byte, n int) bool {
	clear(right[:n*n])
	for i := range n {
		right[i*n+i] = 1
	}
	for col := range n {
		if !pivot(left, right, n, col) {
			return false
		}
		scale(left[col*n:col*n+n], right[col*n:col*n+n], inverse(left[col*n+col]))
		for row := range n {
			if f := left[row*n+col]; row != col && f != 0 {
				addScaled(left[row*n:row*n+n], left[col*n:col*n+n], f)
				addScaled(right[row*n:row*n+n], right[col*n:col*n+n], f)
			}
		}
	}
	copy(left, right[:n*n])
	return true
}

// pivot brings a row with something in column col to row col.
func pivot(left, right []byte, n, col int) bool {
	for row := col; row < n; row++ {
		if left[row*n+col] == 0 {
			continue
		}
		for i := range n {
			left[row*n+i], left[col*n+i] = left[col*n+i], left[row*n+i]
			right[row*n+i], right[col*n+i] = right[col*n+i], right[row*n+i]
		}
		return true
	}
	return false
}

func scale(a, b []byte, f byte) {
	for i := range a {
		a[i], b[i] = mul(a[i], f), mul(b[i], f)
	}
}

func addScaled(dst, src []byte, f byte) {
	for i := range dst {
		dst[i] ^= mul(src[i], f)
	}
}
