// Package chart draws bars into a PNG picture, for rooms: a picture brings its
// own background, so that it reads the same in light and dark clients, and its
// letters are large enough for a telephone. It knows nothing of what it draws.
package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Tone is the colour of a bar. What it means is to be said in words as well:
// not everybody can tell colours apart.
type Tone int

// The tones of bars.
const (
	Plain Tone = iota
	Muted      // of less weight than the others
	Alarm      // went wrong
)

// Bar is one line of a chart.
type Bar struct {
	Label string // in front of it
	Text  string // its value, as people read it
	Value float64
	Tone  Tone
}

// Chart is a title and bars, of lengths that can be compared.
type Chart struct {
	Title string
	Bars  []Bar
}

// Picture is an encoded PNG.
type Picture struct {
	PNG           []byte
	Width, Height int // pixels
}

// Sizes, in pixels. Clients show a picture of this width at 320 to 390 pixels
// of theirs, so letters of 30 are read as letters of 12 to 15.
const (
	width     = 780
	margin    = 24
	gap       = 16
	titleSize = 32
	textSize  = 30
	row       = 52
	barHeight = 30
	labelMost = 260
)

// The colours: dark letters on a light ground of its own.
func ground() color.Color { return color.RGBA{0xf7, 0xf8, 0xfa, 0xff} }
func ink() color.Color    { return color.RGBA{0x1b, 0x1f, 0x26, 0xff} }
func track() color.Color  { return color.RGBA{0xe3, 0xe6, 0xec, 0xff} }

func (t Tone) color() color.Color {
	switch t {
	case Muted:
		return color.RGBA{0x8a, 0x94, 0xa6, 0xff}
	case Alarm:
		return color.RGBA{0xc6, 0x28, 0x28, 0xff}
	}
	return color.RGBA{0x1f, 0x6f, 0xd6, 0xff}
}

// canvas is a picture that is being drawn.
type canvas struct {
	image         *image.RGBA
	regular, bold font.Face
}

// Draw makes the picture. A chart without bars is a title.
func (c Chart) Draw() (Picture, error) {
	regular, err := face(goregular.TTF, textSize)
	if err != nil {
		return Picture{}, err
	}
	bold, err := face(gobold.TTF, titleSize)
	if err != nil {
		return Picture{}, err
	}
	height := 2*margin + titleSize + gap + row*len(c.Bars)
	on := canvas{image: image.NewRGBA(image.Rect(0, 0, width, height)), regular: regular, bold: bold}
	on.fill(on.image.Bounds(), ground())
	on.write(on.bold, on.shortened(on.bold, c.Title, width-2*margin), margin, margin+titleSize)
	on.bars(c.Bars)
	var out bytes.Buffer
	if err := png.Encode(&out, on.image); err != nil {
		return Picture{}, fmt.Errorf("encode the picture: %w", err)
	}
	return Picture{PNG: out.Bytes(), Width: width, Height: height}, nil
}

func face(ttf []byte, size float64) (font.Face, error) {
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

// bars draws labels on the left, values on the right, and between them bars as
// long as the room that both leave.
func (on canvas) bars(bars []Bar) {
	var labels, texts int
	var most float64
	for i := range bars {
		bars[i].Label = on.shortened(on.regular, bars[i].Label, labelMost)
		labels = max(labels, on.width(on.regular, bars[i].Label))
		texts = max(texts, on.width(on.regular, bars[i].Text))
		most = max(most, bars[i].Value)
	}
	left, right := margin+labels+gap, width-margin-texts-gap
	for i, b := range bars {
		top := margin + titleSize + gap + i*row
		base := top + (row+textSize)/2 - 4
		on.write(on.regular, b.Label, margin, base)
		on.write(on.regular, b.Text, width-margin-on.width(on.regular, b.Text), base)
		if right <= left {
			continue
		}
		strip := image.Rect(left, top+(row-barHeight)/2, right, top+(row+barHeight)/2)
		on.fill(strip, track())
		if most > 0 && b.Value > 0 {
			strip.Max.X = left + max(3, int(float64(right-left)*b.Value/most)) // little is not nothing
			on.fill(strip, b.Tone.color())
		}
	}
}

func (on canvas) fill(where image.Rectangle, with color.Color) {
	draw.Draw(on.image, where, image.NewUniform(with), image.Point{}, draw.Src)
}

func (on canvas) write(face font.Face, text string, x, base int) {
	pen := font.Drawer{Dst: on.image, Src: image.NewUniform(ink()), Face: face, Dot: fixed.P(x, base)}
	pen.DrawString(text)
}

func (on canvas) width(face font.Face, text string) int {
	return font.MeasureString(face, text).Ceil()
}

// shortened cuts text to a width.
func (on canvas) shortened(face font.Face, text string, most int) string {
	if on.width(face, text) <= most {
		return text
	}
	letters := []rune(text)
	for len(letters) > 0 && on.width(face, string(letters)+"…") > most {
		letters = letters[:len(letters)-1]
	}
	return string(letters) + "…"
}
