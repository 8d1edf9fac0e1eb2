package command

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

// card is what a friend needs to come in.
type card struct {
	Address, User string
	// Password is the first one, of an account that is made; Token lets the
	// friend make it, until Until.
	Password, Token homeserver.Secret
	Until           time.Time
}

// Lines are the card in words. Their order and names are what people, and the
// tests, know them by.
func (c card) Lines() []reply.Line {
	lines := []reply.Line{{"Address: ", c.Address}, {"User: ", c.User}}
	if c.Token != "" {
		return append(lines, reply.Line{"Token: ", c.Token.Reveal()})
	}
	return append(lines, reply.Line{"Password: ", c.Password.Reveal()})
}

// Advice is what to do with them.
func (c card) Advice() string {
	if c.Token != "" {
		return fmt.Sprintf("Get Element for your computer (https://element.io/download), choose Create account, then Edit beside the homeserver, and type the address. "+
			"As the name type %s; the token is asked for next. It works once, until %s.", localpart(c.User), c.Until.Format("2 January 15:04"))
	}
	if !strings.HasPrefix(c.Address, "https://") {
		return "Get Element for your computer (https://element.io/download): Element's apps for phones refuse an address that is plain http. " +
			"Choose Sign in, then Edit beside the homeserver, and type the address, the user and the password. Then set a password of your own."
	}
	return "Get Element X for your phone, or Element for your computer (https://element.io/download). " +
		"With the app on the phone, scan the picture: it opens at the right place. Without it, choose Sign in, change the account provider to the address, and type user and password. " +
		"Then set a password of your own."
}

// Link opens Element at the right server and name, where the app is installed;
// see Element's documentation of provisioning links. It holds no secret: what
// is scanned passes mobile.element.io. A token's card has none, since the phone's
// apps cannot make accounts with one: there it is the address, which need not
// be typed then.
func (c card) Link() string {
	if c.Token != "" {
		return c.Address
	}
	provider := c.Address
	if rest, ok := strings.CutPrefix(provider, "https://"); ok {
		provider = strings.TrimSuffix(rest, "/")
	}
	query := url.Values{"account_provider": {provider}, "login_hint": {"mxid:" + c.User}}
	return "https://mobile.element.io/element/?" + query.Encode()
}

// picture is the link as a QR code, a PNG, and its width in pixels.
func (c card) picture() (png []byte, width int, err error) {
	code, err := qr.Encode(c.Link(), qr.M)
	if err != nil {
		return nil, 0, fmt.Errorf("draw a QR code: %w", err)
	}
	const quiet = 4 // modules of white around it
	return code.PNG(), (code.Size + 2*quiet) * code.Scale, nil
}

// Picture is the QR code as a page shows it.
func (c card) Picture() (template.URL, error) {
	png, _, err := c.picture()
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)), err
}

// confidence is the card as it is shown.
func (r *run) confidence(c card) (Confidence, error) {
	png, width, err := c.picture()
	if err != nil {
		return Confidence{}, err
	}
	return Confidence{
		Files: []reply.File{{Name: "scan-me.png", Type: "image/png", Size: int64(len(png)), Body: bytes.NewReader(png), Width: width, Height: width}},
		Doc: reply.Doc{
			reply.Lines{Items: c.Lines()},
			reply.P(c.Advice()),
			reply.P("Pass this on; ", r.ending("when "+localpart(c.User)+" has logged in, ")),
		},
		Lifetime: r.Settings.CardLifetime,
		Subject:  c.User,
	}, nil
}

// ending says when a secret vanishes; sooner is what else ends it.
func (r *run) ending(sooner string) string {
	if r.request.Shell {
		return "a terminal cannot forget, so clear it afterwards."
	}
	return fmt.Sprintf("it vanishes from here in %d minutes, %sor when you react to it.", int(r.Settings.CardLifetime.Minutes()), sooner)
}

// cardsPage is a page to be printed or looked at, a card below another.
const cardsPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Joining cards</title>
<style>
body { font: 16px/1.5 sans-serif; margin: 2em }
section { border: 1px solid #999; border-radius: 8px; padding: 1em; margin: 0 0 1em; max-width: 44em; break-inside: avoid; overflow: auto }
img { float: right; width: 180px; image-rendering: pixelated }
</style>
{{range .}}<section><img src="{{.Picture}}" alt="{{.Link}}">
<p>{{range .Lines}}{{.}}<br>
{{end}}</p><p>{{.Advice}}</p></section>
{{end}}</html>
`

// cardsFile is several cards as one file.
func cardsFile(cards []card) (reply.File, error) {
	page, err := template.New("cards").Parse(cardsPage)
	if err != nil {
		return reply.File{}, fmt.Errorf("lay out the cards: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, cards); err != nil {
		return reply.File{}, fmt.Errorf("write the cards: %w", err)
	}
	return reply.File{Name: "joining-cards.html", Type: "text/html", Size: int64(text.Len()), Body: &text}, nil
}
