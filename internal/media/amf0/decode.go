package amf0

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Markers of the values (AMF 0 specification, section 2.1).
const (
	markNumber      = 0x00
	markBoolean     = 0x01
	markString      = 0x02
	markObject      = 0x03
	markNull        = 0x05
	markUndefined   = 0x06
	markECMAArray   = 0x08
	markObjectEnd   = 0x09
	markStrictArray = 0x0A
	markDate        = 0x0B
	markLongString  = 0x0C
	markUnsupported = 0x0D
	markXML         = 0x0F
	markTypedObject = 0x10
)

const (
	maxDepth  = 32
	maxValues = 1 << 16
)

var (
	errShort   = errors.New("amf0: value is cut short")
	errDeep    = fmt.Errorf("amf0: values nest deeper than %d", maxDepth)
	errTooMany = fmt.Errorf("amf0: more than %d values", maxValues)
)

// Decode decodes all values in b. Strings and names are copies; nothing in the result points into b.
func Decode(b []byte) ([]any, error) {
	d := decoder{rest: b}
	var values []any
	for len(d.rest) > 0 {
		v, err := d.value(0)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

type decoder struct {
	rest  []byte
	count int
}

// take consumes n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n > len(d.rest) {
		return nil, errShort
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b, nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	if d.count++; d.count > maxValues {
		return nil, errTooMany
	}
	mark, err := d.take(1)
	if err != nil {
		return nil, err
	}
	switch mark[0] {
	case markNumber:
		return d.number()
	case markBoolean:
		b, err := d.take(1)
		if err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case markString:
		return d.text(2)
	case markLongString, markXML:
		return d.text(4)
	case markNull:
		return nil, nil
	case markUndefined, markUnsupported:
		return Undefined{}, nil
	case markDate:
		return d.date()
	default:
		return d.compound(mark[0], depth)
	}
}

func (d *decoder) compound(mark byte, depth int) (any, error) {
	switch mark {
	case markObject:
		p, err := d.properties(depth, false)
		return Object(p), err
	case markTypedObject:
		if _, err := d.text(2); err != nil {
			return nil, err
		}
		p, err := d.properties(depth, false)
		return Object(p), err
	case markECMAArray:
		if _, err := d.take(4); err != nil {
			return nil, err
		}
		p, err := d.properties(depth, true)
		return ECMAArray(p), err
	case markStrictArray:
		return d.strictArray(depth)
	}
	return nil, fmt.Errorf("amf0: value of type 0x%02x is not supported", mark)
}

func (d *decoder) number() (float64, error) {
	b, err := d.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (d *decoder) date() (any, error) {
	v, err := d.number()
	if err != nil {
		return nil, err
	}
	if _, err := d.take(2); err != nil {
		return nil, err
	}
	return Date(v), nil
}

// text reads a string behind its length of 2 or 4 bytes.
func (d *decoder) text(lengthSize int) (string, error) {
	b, err := d.take(lengthSize)
	if err != nil {
		return "", err
	}
	var n uint32
	for _, c := range b {
		n = n<<8 | uint32(c)
	}
	if uint64(n) > uint64(len(d.rest)) {
		return "", errShort
	}
	b, err = d.take(int(n))
	return string(b), err
}

// properties reads names and values up to the end marker. Some encoders leave the end marker of the outermost ECMA
// array away; mayEnd accepts the end of the input in its place.
func (d *decoder) properties(depth int, mayEnd bool) ([]Property, error) {
	properties := []Property{}
	for {
		if mayEnd && depth == 0 && len(d.rest) == 0 {
			return properties, nil
		}
		name, err := d.text(2)
		if err != nil {
			return nil, err
		}
		if name == "" && len(d.rest) > 0 && d.rest[0] == markObjectEnd {
			d.rest = d.rest[1:]
			return properties, nil
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		properties = append(properties, Property{Name: name, Value: v})
	}
}

func (d *decoder) strictArray(depth int) (any, error) {
	b, err := d.take(4)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(d.rest)) { // a value takes at least one byte
		return nil, errShort
	}
	array := StrictArray{}
	for range n {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, nil
}
