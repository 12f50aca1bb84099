package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// envelope is the stored form of a record. In front of its JSON stands a checksum over the subject and everything
// after the checksum, so a record can neither be altered nor change places unnoticed:
//
//	{"sum":"<32 hexadecimal digits>","puts":"…","events":[…],"v":1,"value":{…}}
//
// A deleted record leaves an envelope with "gone" and without a value, which carries the events of the deletion.
type envelope[T any] struct {
	history
	Gone    bool   `json:"gone,omitempty"`
	Version int    `json:"v,omitempty"` // of the definition by which the value was written
	Value   T      `json:"value,omitzero"`
	Sum     string `json:"sum,omitempty"` // only to be known when it is read; sealRaw writes it
}

// history is what an envelope keeps from one put to the next beside the value.
type history struct {
	Puts   stamps  `json:"puts"`             // the latest writes
	Events []Event `json:"events,omitempty"` // not yet in the outbox, oldest first
}

const (
	sumHead = `{"sum":"`
	sumSize = 32
	sumTail = `",`
	bodyAt  = len(sumHead) + sumSize + len(sumTail)
)

var errDamaged = errors.New("its checksum does not match")

// seal encodes an envelope for its subject.
func seal[T any](subject string, e envelope[T]) ([]byte, error) { return sealRaw(subject, e) }

// sealRaw puts a checksum in front of the JSON object that v encodes to. The object must not be empty.
func sealRaw(subject string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: encode %s: %w", subject, err)
	}
	out := make([]byte, 0, bodyAt+len(body))
	out = append(out, sumHead...)
	out = append(out, checksum(subject, body[1:])...)
	out = append(out, sumTail...)
	return append(out, body[1:]...), nil
}

// verify checks the checksum of a stored envelope.
func verify(subject string, data []byte) error {
	if len(data) <= bodyAt || string(data[:len(sumHead)]) != sumHead || string(data[bodyAt-len(sumTail):bodyAt]) != sumTail {
		return errDamaged
	}
	if checksum(subject, data[bodyAt:]) != string(data[len(sumHead):len(sumHead)+sumSize]) {
		return errDamaged
	}
	return nil
}

// open decodes a verified envelope.
func open[T any](subject string, data []byte) (envelope[T], error) {
	var e envelope[T]
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("store: decode %s: %w", subject, err)
	}
	e.Sum = ""
	return e, nil
}

// openAll is open that also returns what the value holds and T does not know.
func openAll[T any](subject string, data []byte) (envelope[T], *rest, error) {
	var e envelope[T]
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if strict.Decode(&e) == nil {
		e.Sum = ""
		return e, nil, nil
	}
	e, err := open[T](subject, data)
	if err != nil {
		return e, nil, err
	}
	raw, err := open[json.RawMessage](subject, data)
	if err != nil || len(raw.Value) == 0 {
		return e, nil, err
	}
	known, err := json.Marshal(e.Value)
	if err != nil {
		return e, nil, fmt.Errorf("store: encode %s: %w", subject, err)
	}
	r, err := restOf(raw.Value, known)
	return e, r, err
}

func checksum(subject string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(subject))
	h.Write([]byte{0})
	h.Write(body)
	var sum [sha256.Size]byte
	return hex.EncodeToString(h.Sum(sum[:0])[:sumSize/2])
}

// stamp tells one write from every other one of the same record.
type stamp string

// stamps are those of the latest writes of a record, oldest first, in one string: every record in memory has them.
type stamps string

const (
	stampSize  = 8
	stampsKept = 4 // more writers than these do not come between a write and the look at it
)

func newStamp() stamp { return stamp(rand.Text()[:stampSize]) }

func (s stamps) with(mark stamp) stamps {
	s += stamps(mark)
	return s[max(0, len(s)-stampsKept*stampSize):]
}

func (s stamps) last(mark stamp) bool { return strings.HasSuffix(string(s), string(mark)) }

func (s stamps) has(mark stamp) bool {
	for ; len(s) >= stampSize; s = s[:len(s)-stampSize] {
		if s.last(mark) {
			return true
		}
	}
	return false
}

// with returns the history after one more write with these events. It never changes h's own events. An event that waits
// already, from a write whose answer was lost, is not told again.
func (h history) with(key Key, mark stamp, events []Event) history {
	h.Puts = h.Puts.with(mark)
	h.Events = slices.Clone(h.Events)
	for _, e := range events {
		if slices.ContainsFunc(h.Events, func(waiting Event) bool { return waiting.ID == e.ID }) {
			continue
		}
		if e.Scope.Region == "" && e.Scope.Account == "" {
			e.Scope = key.Scope
		}
		h.Events = append(h.Events, e)
	}
	return h
}
