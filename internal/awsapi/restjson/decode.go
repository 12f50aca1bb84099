package restjson

// input is what Decode needs of a generated request shape.
type input interface {
	ReadJSON(r *Reader)
	Check(c *Checks)
}

// Decode reads a body into an operation's input and checks it. An empty body is an empty object (spec ivs.md 2.1). The
// error is a *SyntaxError or a *ValidationError.
func Decode(body []byte, in input) error {
	r := NewReader(body)
	r.space()
	if r.pos < len(body) {
		in.ReadJSON(r)
		if err := r.End(); err != nil {
			return err
		}
	}
	var c Checks
	in.Check(&c)
	return c.Err()
}
