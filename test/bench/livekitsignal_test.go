package main

import (
	"bytes"
	"testing"
)

func TestFields(t *testing.T) {
	t.Parallel()
	b := appendNumber(nil, 3, 1<<40)
	b = appendBytes(b, 16, []byte("text"))
	b = append(b, 7<<3|wireFixed8, 1, 2, 3, 4, 5, 6, 7, 8)
	b = append(b, 7<<3|wireFixed4, 1, 2, 3, 4)
	b = appendBytes(b, 2, nil)
	var numbers, texts int
	eachField(b, func(field int, n uint64, value []byte) {
		switch {
		case field == 3 && n == 1<<40 && value == nil:
			numbers++
		case field == 16 && string(value) == "text", field == 2 && len(value) == 0:
			texts++
		default:
			t.Errorf("field %d: %d, %q", field, n, value)
		}
	})
	if numbers != 1 || texts != 2 {
		t.Errorf("%d numbers, %d texts", numbers, texts)
	}
}

func FuzzFields(f *testing.F) {
	f.Add(appendBytes(appendNumber(nil, 1, 300), 2, []byte("offer")))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var total int
		eachField(b, func(_ int, _ uint64, value []byte) {
			total += len(value)
			if len(value) > 0 && !bytes.Contains(b, value) {
				t.Error("a field is not in the message")
			}
		})
		if total > len(b) {
			t.Errorf("%d bytes of fields in %d", total, len(b))
		}
	})
}

func TestDescription(t *testing.T) {
	t.Parallel()
	if text, id := description(describe("offer", "v=0", 7)); text != "v=0" || id != 7 {
		t.Errorf("%q, %d", text, id)
	}
}
