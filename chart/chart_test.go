package chart

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
)

func drawn(t *testing.T, c Chart) image.Image {
	t.Helper()
	picture, err := c.Draw()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(picture.PNG))
	if err != nil {
		t.Fatal(err)
	}
	if size := decoded.Bounds().Size(); size.X != picture.Width || size.Y != picture.Height {
		t.Errorf("it is %v, and said to be %d x %d", size, picture.Width, picture.Height)
	}
	return decoded
}

// length counts a tone's pixels in the middle of a bar's row.
func length(from image.Image, i int, tone Tone) int {
	n := 0
	for x := range from.Bounds().Dx() {
		if same(from.At(x, margin+titleSize+gap+i*row+row/2), tone.color()) {
			n++
		}
	}
	return n
}

func same(a, b color.Color) bool {
	r, g, bl, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	return r == r2 && g == g2 && bl == b2
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	picture := drawn(t, Chart{Title: "Size by group", Bars: []Bar{
		{"core", "400 MB", 400, Plain}, {"media", "200 MB", 200, Alarm}, {"fonts", "1 kB", 0.001, Plain}, {"none", "0 B", 0, Plain}}})
	whole, half := length(picture, 0, Plain), length(picture, 1, Alarm)
	if whole < 300 || math.Abs(float64(whole)/2-float64(half)) > 1 {
		t.Errorf("%d and %d pixels", whole, half)
	}
	if little, nothing := length(picture, 2, Plain), length(picture, 3, Plain); little < 2 || nothing != 0 {
		t.Errorf("a little is %d pixels, nothing %d", little, nothing)
	}
}

// Whatever stands in it, nothing is written beyond the edge: the margin stays
// as it is.
func TestLongTextsStayInside(t *testing.T) {
	picture := drawn(t, Chart{Title: strings.Repeat("long title ", 20), Bars: []Bar{
		{strings.Repeat("w", 200), "1.2 GB", 2, Plain}, {"", strings.Repeat("9", 18), 1, Plain}, {"x\n\x00\u202e漢", "1", 1, Muted}}})
	bounds := picture.Bounds()
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			if (x < margin-4 || x >= width-margin+4) && !same(picture.At(x, y), ground()) {
				t.Fatalf("something stands at %d, %d", x, y)
			}
		}
	}
	drawn(t, Chart{})
}

// Letters and bars stand out from their ground as WCAG 2.2 asks for: 4.5 to 1
// for text, 3 to 1 for what else one has to see.
func TestContrast(t *testing.T) {
	if c := contrast(ink(), ground()); c < 4.5 {
		t.Errorf("text has %.1f", c)
	}
	for _, tone := range []Tone{Plain, Alarm} {
		if c := contrast(tone.color(), track()); c < 3 {
			t.Errorf("tone %d has %.1f", tone, c)
		}
	}
}

func contrast(a, b color.Color) float64 {
	light := func(c color.Color) float64 {
		r, g, b, _ := c.RGBA()
		part := func(v uint32) float64 {
			s := float64(v) / 0xffff
			if s <= 0.03928 {
				return s / 12.92
			}
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return 0.2126*part(r) + 0.7152*part(g) + 0.0722*part(b)
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
