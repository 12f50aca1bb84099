package id3_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/media/id3"
)

const owner = "metadata.live-video.net"

func TestAppendPriv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, owner, text string
		tag, frame        [4]byte // synchsafe sizes
	}{
		{"empty", "o", "", [4]byte{0, 0, 0, 12}, [4]byte{0, 0, 0, 2}},
		{"below seven bits", "owner", strings.Repeat("x", 121), [4]byte{0, 0, 1, 9}, [4]byte{0, 0, 0, 127}},
		{"above seven bits", "owner", strings.Repeat("x", 122), [4]byte{0, 0, 1, 10}, [4]byte{0, 0, 1, 0}},
		{"1,024 bytes of UTF-8", owner, strings.Repeat("日本é€…", 1024/14) + "ab", [4]byte{0, 0, 8, 34}, [4]byte{0, 0, 8, 24}},
		{"a large one", "o", strings.Repeat("y", 1<<21), [4]byte{1, 0, 0, 12}, [4]byte{1, 0, 0, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tag := id3.AppendPriv([]byte("before"), test.owner, []byte(test.text))
			tag = tag[len("before"):]
			if len(tag) != id3.PrivSize(test.owner, []byte(test.text)) {
				t.Errorf("%d bytes, PrivSize says %d", len(tag), id3.PrivSize(test.owner, []byte(test.text)))
			}
			if len(test.text) < 2000 && len(tag)-10 != int(test.tag[2])<<7+int(test.tag[3]) {
				t.Errorf("the tag's size should be %d", len(tag)-10)
			}
			want := bytes.Join([][]byte{
				{'I', 'D', '3', 4, 0, 0}, test.tag[:], []byte("PRIV"), test.frame[:], {0, 0}, []byte(test.owner), {0}, []byte(test.text),
			}, nil)
			if !bytes.Equal(tag, want) {
				t.Errorf("tag begins\n%x, want\n%x", tag[:min(40, len(tag))], want[:min(40, len(want))])
			}
		})
	}
}

func TestAppendPrivAllocates(t *testing.T) {
	text := bytes.Repeat([]byte("ä"), 512)
	buf := make([]byte, 0, id3.PrivSize(owner, text))
	if n := testing.AllocsPerRun(100, func() { id3.AppendPriv(buf, owner, text) }); n != 0 {
		t.Errorf("%v allocations a tag", n)
	}
}
