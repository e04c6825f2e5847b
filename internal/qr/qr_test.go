package qr

import (
	"image"
	"image/color"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

const text = "60H4V-X2435-Y4G3C-XTS69-Y9"

// read decodes what was drawn, module by module, as a camera would see it.
func read(t *testing.T, size int, black func(x, y int) bool) string {
	t.Helper()
	const scale = 4
	img := image.NewGray(image.Rect(0, 0, size*scale, size*scale))
	for x := range size * scale {
		for y := range size * scale {
			if !black(x/scale, y/scale) {
				img.Set(x, y, color.White)
			}
		}
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	r, err := qrcode.NewQRCodeReader().Decode(bmp, nil)
	if err != nil {
		t.Fatalf("no QR code: %v", err)
	}
	return r.GetText()
}

func TestTerminal(t *testing.T) {
	for _, want := range []string{text, strings.Repeat(text+"-", 15) + text} {
		c, err := New(want)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(c.Terminal(), "\n"), "\n")
		white := make([][]bool, 2*len(lines))
		for y, line := range lines {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[40;97m"), "\x1b[0m")
			for _, r := range line {
				white[2*y] = append(white[2*y], r == '█' || r == '▀')
				white[2*y+1] = append(white[2*y+1], r == '█' || r == '▄')
			}
		}
		if got := read(t, c.Size(), func(x, y int) bool { return !white[y][x] }); got != want {
			t.Errorf("the terminal shows %q", got)
		}
	}
}

func TestSVG(t *testing.T) {
	c, err := New(text)
	if err != nil {
		t.Fatal(err)
	}
	svg := c.SVG("for <prod> & others")
	black := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		n, _ := strconv.Atoi(m[3])
		for i := range n {
			black[[2]int{x + i, y}] = true
		}
	}
	if got := read(t, c.Size(), func(x, y int) bool { return black[[2]int{x, y}] }); got != text {
		t.Errorf("the page shows %q", got)
	}
	if !strings.Contains(svg, "for &lt;prod&gt; &amp; others") {
		t.Error("the title is not escaped")
	}
}

func TestTooLong(t *testing.T) {
	if _, err := New(strings.Repeat("A", 5000)); err == nil {
		t.Error("5,000 characters fit into a QR code?")
	}
}
