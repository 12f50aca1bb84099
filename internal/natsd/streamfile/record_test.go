package streamfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

const testStream = "KV_test"

// encode is a record of block 1 as the engine writes it.
func encode(sequence uint64, subject, header, data string) []byte {
	length := uint32(emptySize + len(subject) + len(header) + len(data))
	if header != "" {
		length = length + 4 | headersBit
	}
	b := binary.LittleEndian.AppendUint32(nil, length)
	b = binary.LittleEndian.AppendUint64(b, sequence)
	b = binary.LittleEndian.AppendUint64(b, 1000+sequence)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(subject)))
	b = append(b, subject...)
	if header != "" {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	b = append(append(b, header...), data...)
	h := newHash(testStream, 1)
	_, _ = h.Write(b[4:20])
	_, _ = h.Write([]byte(subject + header + data))
	return binary.LittleEndian.AppendUint64(b, h.Sum64())
}

// sample is a block with a record of every shape.
func sample() []byte {
	header := "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 3\r\n\r\n"
	return slices.Concat(
		encode(1, "$KV.test.thing.eu.000.a", header, `{"sum":"1"}`),
		encode(2, "$KV.test.thing.eu.000.b", "", `{"sum":"2"}`),
		encode(5, "$KV.test.thing.eu.000.a", header, ""),
		Tombstone(testStream, 1, 4, 7),
		encode(6|wipedBit, "", "", "random bytes"),
		encode(7, "$KV.test.thing.eu.000.c", "", ""),
		encode(8, "$KV.test.thing.eu.000.d", header, `{"sum":"`+fmt.Sprintf("%0400d", 8)+`"}`),
	)
}

// scan lists what Scan finds: "1", "t4".
func scan(content []byte) (found []string, bad []Span) {
	bad = Scan(testStream, 1, content, func(r Record) {
		name := fmt.Sprint(r.Sequence)
		if r.Tombstone {
			name = "t" + name
		}
		found = append(found, name)
	})
	return found, bad
}

func TestScan(t *testing.T) {
	t.Parallel()
	var all []Record
	bad := Scan(testStream, 1, sample(), func(r Record) { all = append(all, r) })
	if len(bad) != 0 || len(all) != 6 {
		t.Fatalf("%d records, bad %v", len(all), bad)
	}
	r := all[0]
	if r.Sequence != 1 || r.Time != 1001 || string(r.Subject) != "$KV.test.thing.eu.000.a" || string(r.Data) != `{"sum":"1"}` ||
		!bytes.HasSuffix(r.Header, []byte("3\r\n\r\n")) || !bytes.Equal(r.Raw, sample()[:len(r.Raw)]) {
		t.Errorf("%+v", r)
	}
	if r := all[3]; !r.Tombstone || r.Sequence != 4 || r.Time != 7 {
		t.Errorf("%+v", r)
	}
	if bad := Scan(testStream, 2, sample(), func(Record) {}); len(bad) != 1 {
		t.Errorf("records pass in another block: %v", bad)
	}
}

// TestEveryBitAndLength: a flipped bit costs the record that it is in, a cut the records that it cut.
func TestEveryBitAndLength(t *testing.T) {
	t.Parallel()
	good := sample()
	all, _ := scan(good)
	ends := []int{} // of the records, the wiped one too
	for at := 0; at < len(good); {
		at += int(binary.LittleEndian.Uint32(good[at:]) &^ headersBit)
		ends = append(ends, at)
	}
	names := slices.Insert(slices.Clone(all), 4, "") // what is wiped is not told
	for bit := range len(good) * 8 {
		content := slices.Clone(good)
		content[bit/8] ^= 1 << (bit % 8)
		hurt, _ := slices.BinarySearch(ends, bit/8+1)
		want := slices.DeleteFunc(slices.Delete(slices.Clone(names), hurt, hurt+1), func(s string) bool { return s == "" })
		found, bad := scan(content)
		if !slices.Equal(found, want) || len(bad) != 1 || bad[0].To != int64(ends[hurt]) {
			t.Fatalf("bit %d: found %v, want %v, bad %+v", bit, found, want, bad)
		}
	}
	for length := range len(good) {
		whole, exact := slices.BinarySearch(ends, length)
		if exact {
			whole++
		}
		want := slices.DeleteFunc(slices.Clone(names[:whole]), func(s string) bool { return s == "" })
		found, bad := scan(good[:length])
		if !slices.Equal(found, want) || len(bad) > 1 || len(bad) == 1 && !bad[0].Partial || (len(bad) == 0) != (exact || length == 0) {
			t.Fatalf("length %d: found %v, want %v, bad %+v", length, found, want, bad)
		}
	}
}

// FuzzScan: whatever stands between sound records, all of them are found and nothing else is made of it but records.
func FuzzScan(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Add(sample()[:70])
	f.Add(sample()[3:])
	f.Add(bytes.Repeat([]byte("\x1e\x00\x00\x00"), 50))
	f.Add(bytes.Repeat([]byte("\x00\x10\x00\x80$KV.test.thing"), 50))
	f.Fuzz(func(t *testing.T, garbage []byte) {
		good := sample()
		all, _ := scan(good)
		content := slices.Concat(good, garbage, good)
		found, bad := scan(content)
		if len(found) < 2*len(all) || !slices.Equal(found[:len(all)], all) || !slices.Equal(found[len(found)-len(all):], all) {
			t.Fatalf("found %v around %q", found, garbage)
		}
		size := int64(0)
		for i, s := range bad {
			if s.From >= s.To || s.To > int64(len(content)) || i > 0 && s.From < bad[i-1].To || s.Partial {
				t.Fatalf("bad %+v", bad)
			}
			size += s.To - s.From
		}
		if size > int64(len(garbage)) {
			t.Fatalf("%d bytes are bad, %d were added: %+v", size, len(garbage), bad)
		}
	})
}

// BenchmarkScan is of 20,000 records.
func BenchmarkScan(b *testing.B) {
	var content []byte
	for i := range uint64(20_000) {
		content = append(content, encode(i+1, fmt.Sprintf("$KV.test.thing.eu.000.%d", i), "NATS/1.0\r\nA: 3\r\n\r\n", `{"sum":"`+fmt.Sprintf("%0500d", i)+`"}`)...)
	}
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if bad := Scan(testStream, 1, content, func(Record) {}); bad != nil {
			b.Fatal(bad)
		}
	}
}
