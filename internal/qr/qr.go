// Package qr draws short texts as QR codes (ISO/IEC 18004), for a terminal and
// for a page.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the white margin that a reader needs, in modules.
const quiet = 4

// Code is a drawn text.
type Code struct{ code *qr.Code }

// New draws a text. Texts of more than some 4,000 upper-case letters and digits
// do not fit into a QR code.
func New(text string) (*Code, error) {
	c, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code of %d characters: %w", len(text), err)
	}
	return &Code{c}, nil
}

// Size returns the modules of a side, the margin included.
func (c *Code) Size() int { return c.code.Size + 2*quiet }

// Black reports whether a module is dark.
func (c *Code) Black(x, y int) bool { return c.code.Black(x-quiet, y-quiet) }

// Terminal returns the code in lines of half blocks, black on white whatever the
// terminal's colours are.
func (c *Code) Terminal() string {
	var b strings.Builder
	for y := 0; y < c.Size(); y += 2 {
		b.WriteString("\x1b[40;97m") // white on black; the blocks are what is light
		for x := range c.Size() {
			upper, lower := !c.Black(x, y), !c.Black(x, y+1)
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

// SVG returns the code as an SVG element that scales with its place on a page.
// Its colours are fixed: a reader wants dark on light.
func (c *Code) SVG(title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><title>%s</title><rect width="%[1]d" height="%[1]d" fill="#fff"/><path fill="#000" d="`,
		c.Size(), escape.Replace(title))
	for y := range c.Size() {
		for x := 0; x < c.Size(); x++ {
			if from := x; c.Black(x, y) {
				for c.Black(x+1, y) {
					x++
				}
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x+1-from, x+1-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
