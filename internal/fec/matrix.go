package fec

// parityRows returns the m rows of k coefficients that make the parity of the
// systematic Vandermonde code. Data symbol c is the value at the point c of the
// polynomial of degree below k through all of them, and parity symbol r its value
// at the point k+r: the coefficients are Lagrange's. Inverting the Vandermonde
// matrix, as the library does, gives the same ones and takes a hundred times as
// long.
func parityRows(k, m int) [][]byte {
	// below[c] is the product of c-j over the other data points j, as a logarithm.
	below := make([]int, k)
	for c := range k {
		for j := range k {
			if j != c {
				below[c] += logTable[c^j]
			}
		}
	}
	rows := make([][]byte, m)
	for r := range rows {
		x, above := k+r, 0
		for j := range k {
			above += logTable[x^j]
		}
		rows[r] = make([]byte, k)
		for c := range k {
			const order = 255
			log := (above - logTable[x^c] - below[c]) % order
			rows[r][c] = expTable[log+order]
		}
	}
	return rows
}
