package json5

// at gives the byte at the reading position, 0 at the end of the text.
func (p *parser) at() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

// number reads a number in any of JSON5's forms.
func (p *parser) number() error {
	start := p.pos
	if c := p.at(); c == '+' || c == '-' {
		p.strict = p.strict && c == '-'
		p.pos++
	}
	switch c := p.at(); {
	case c == 'I':
		p.strict = false
		return p.word("Infinity")
	case c == 'N':
		p.strict = false
		return p.word("NaN")
	case c == '0':
		p.pos++
		if p.at()|0x20 == 'x' {
			return p.hexadecimal()
		}
	case isDigit(c):
		p.digits()
	case c != '.':
		return p.notValue(start)
	}
	return p.fraction(start)
}

func (p *parser) notValue(start int) error {
	if p.pos == len(p.src) && p.pos > start {
		return p.fail(p.pos, "the file ends within a number")
	}
	return p.fail(p.pos, "found %s, where a value should be (is it a string that lacks its quotes?)", show(p.src, p.pos))
}

func (p *parser) hexadecimal() error {
	p.strict = false
	p.pos++
	if !isHex(p.at()) {
		return p.fail(p.pos, "found %s, where a hexadecimal digit should be", show(p.src, p.pos))
	}
	for isHex(p.at()) {
		p.pos++
	}
	return nil
}

// digits passes over decimal digits and counts them.
func (p *parser) digits() int {
	start := p.pos
	for isDigit(p.at()) {
		p.pos++
	}
	return p.pos - start
}

// fraction reads what may follow the whole part of a decimal number; the whole part may be missing.
func (p *parser) fraction(start int) error {
	whole := isDigit(p.src[p.pos-min(1, p.pos-start)])
	if p.at() == '.' {
		p.pos++
		digits := p.digits()
		if digits == 0 && !whole {
			return p.fail(p.pos, "found %s, where a digit should be", show(p.src, p.pos))
		}
		p.strict = p.strict && whole && digits > 0
	}
	if p.at()|0x20 != 'e' {
		return nil
	}
	p.pos++
	if c := p.at(); c == '+' || c == '-' {
		p.pos++
	}
	if p.digits() == 0 {
		return p.fail(p.pos, "found %s, where a digit of the exponent should be", show(p.src, p.pos))
	}
	return nil
}

// quoted reads a string or a quoted key.
func (p *parser) quoted() error {
	open, quote := p.pos, p.src[p.pos]
	p.strict = p.strict && quote == '"'
	for p.pos++; p.pos < len(p.src); p.pos++ {
		switch c := p.src[p.pos]; {
		case c == quote:
			p.pos++
			return nil
		case c == '\n' || c == '\r':
			return p.fail(open, "this string is not closed in its line")
		case c < 0x20:
			p.strict = false
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		}
	}
	return p.fail(open, "this string is never closed")
}

// escape reads an escape and stops on its last byte.
func (p *parser) escape() error {
	p.pos++
	c := p.at()
	switch {
	case p.pos == len(p.src):
		return p.fail(p.pos, "the file ends within a string")
	case c == 'u':
		err := p.hexDigits(4)
		p.pos--
		return err
	case c == 'x':
		p.strict = false
		err := p.hexDigits(2)
		p.pos--
		return err
	case c == '0':
		p.strict = false
		if p.pos+1 < len(p.src) && isDigit(p.src[p.pos+1]) {
			return p.fail(p.pos-1, "octal escapes are not allowed")
		}
	case isDigit(c):
		return p.fail(p.pos-1, "the escape \\%c does not exist", c)
	case breakWidth(p.src, p.pos) > 0:
		p.strict = false
		p.pos += breakWidth(p.src, p.pos) - 1
	case c != '"' && c != '\\' && c != '/' && c != 'b' && c != 'f' && c != 'n' && c != 'r' && c != 't':
		p.strict = false
	}
	return nil
}

// hexDigits reads n of them behind the letter at the reading position.
func (p *parser) hexDigits(n int) error {
	p.pos++
	for range n {
		if !isHex(p.at()) {
			return p.fail(p.pos, "found %s, where a hexadecimal digit of the escape should be", show(p.src, p.pos))
		}
		p.pos++
	}
	return nil
}
