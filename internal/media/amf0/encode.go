package amf0

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append appends the encoded values to dst. A value that AMF0 cannot express, a name longer than 65,535 bytes and values
// nested too deeply are errors; dst is then returned as it was.
func Append(dst []byte, values ...any) ([]byte, error) {
	out := dst
	for _, v := range values {
		var err error
		if out, err = appendValue(out, v, 0); err != nil {
			return dst, err
		}
	}
	return out, nil
}

func appendValue(dst []byte, value any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	switch v := value.(type) {
	case nil:
		return append(dst, markNull), nil
	case float64:
		return appendNumber(append(dst, markNumber), v), nil
	case bool:
		if v {
			return append(dst, markBoolean, 1), nil
		}
		return append(dst, markBoolean, 0), nil
	case string:
		return appendString(dst, v), nil
	case Undefined:
		return append(dst, markUndefined), nil
	case Date:
		return append(appendNumber(append(dst, markDate), float64(v)), 0, 0), nil
	case Object:
		return appendProperties(append(dst, markObject), v, depth)
	case ECMAArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markECMAArray), uint32(len(v)))
		return appendProperties(dst, v, depth)
	case StrictArray:
		return appendStrictArray(dst, v, depth)
	}
	return nil, fmt.Errorf("amf0: a value of type %T cannot be encoded", value)
}

func appendNumber(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}

func appendString(dst []byte, s string) []byte {
	if len(s) > math.MaxUint16 {
		dst = binary.BigEndian.AppendUint32(append(dst, markLongString), uint32(len(s)))
	} else {
		dst = binary.BigEndian.AppendUint16(append(dst, markString), uint16(len(s)))
	}
	return append(dst, s...)
}

func appendProperties(dst []byte, properties []Property, depth int) ([]byte, error) {
	for _, p := range properties {
		if len(p.Name) > math.MaxUint16 {
			return nil, fmt.Errorf("amf0: a name of %d bytes is too long", len(p.Name))
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Name)))
		dst = append(dst, p.Name...)
		var err error
		if dst, err = appendValue(dst, p.Value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, 0, 0, markObjectEnd), nil
}

func appendStrictArray(dst []byte, array StrictArray, depth int) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(append(dst, markStrictArray), uint32(len(array)))
	for _, v := range array {
		var err error
		if dst, err = appendValue(dst, v, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
