// Package amf0 encodes and decodes Action Message Format 0, the value format of RTMP commands and FLV script data.
//
// Values are float64, bool, string, nil, Undefined, Object, ECMAArray, StrictArray and Date. Property order is kept.
// References, AMF3 and what was never on a wire (movie clips, record sets) are refused. Depth and number of values are
// bounded, and memory is proportional to the input, so bytes from strangers may be decoded.
//
// Imports: nothing of Rivus.
package amf0

// Property is one name and its value.
type Property struct {
	Name  string
	Value any
}

// Object is an anonymous object; a typed object decodes to one as well, without its class name.
type Object []Property

// ECMAArray is an associative array. The count on the wire is advice and not kept.
type ECMAArray []Property

// StrictArray is an array of values.
type StrictArray []any

// Date is milliseconds since 1970-01-01 UTC. The time zone on the wire is reserved and not kept.
type Date float64

// Undefined is the undefined value.
type Undefined struct{}

// Get returns the value of the first property with this name.
func (o Object) Get(name string) (any, bool) { return get(o, name) }

// Get returns the value of the first property with this name.
func (a ECMAArray) Get(name string) (any, bool) { return get(a, name) }

func get(properties []Property, name string) (any, bool) {
	for i := range properties {
		if properties[i].Name == name {
			return properties[i].Value, true
		}
	}
	return nil, false
}
