package sandbox

import (
	"strconv"
	"strings"
)

// aptGauge reads apt-get's output for how far an installation is: the one kind
// of step that takes minutes and tells what is ahead of it.
type aptGauge struct {
	packages int // to be installed; 0 until apt has said so
	events   int // downloads, unpackings and set-ups seen
}

// read takes a line. "0 upgraded, 38 newly installed, ..." opens an
// installation; each package then shows three times.
func (g *aptGauge) read(line string) {
	if upgraded, rest, ok := strings.Cut(line, " upgraded, "); ok {
		installed, _, _ := strings.Cut(rest, " newly installed")
		a, errA := strconv.Atoi(upgraded)
		b, errB := strconv.Atoi(installed)
		if errA == nil && errB == nil {
			g.packages, g.events = a+b, 0
		}
		return
	}
	for _, sign := range []string{"Get:", "Unpacking ", "Setting up "} {
		if strings.HasPrefix(line, sign) {
			g.events++
		}
	}
}

// done is the part of the installation that is behind us, 0 to 0.95: apt
// ends with triggers that it does not count.
func (g *aptGauge) done() float64 {
	if g.packages == 0 {
		return 0
	}
	return min(0.95, float64(g.events)/float64(3*g.packages))
}
