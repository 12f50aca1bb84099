package hlscheck

import (
	"reflect"
	"strings"
	"testing"
)

const goodMedia = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5,HOLD-BACK=6
#EXT-X-SKIP:SKIPPED-SEGMENTS=3
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init.mp4",BYTERANGE="10@0"
#EXT-X-PROGRAM-DATE-TIME:2024-05-05T21:55:22.150Z
#EXT-X-PART:DURATION=0.5,URI="a.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.5,URI="b.m4s",BYTERANGE="5@7"
#EXTINF:1.0,live
ab.m4s
# a comment
#EXT-X-UNKNOWN:whatever
#EXT-X-GAP
#EXT-X-BITRATE:500
#EXTINF:2,
gap.m4s
#EXT-X-PART:DURATION=0.5,URI="c.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="d.m4s"
#EXT-X-RENDITION-REPORT:URI="../low/index.m3u8",LAST-MSN=9,LAST-PART=0
#EXT-X-DATERANGE:ID="x",CLASS="y",START-DATE="2024-05-05T21:55:22Z"
`

const goodMultivariant = `#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-DATA:DATA-ID="NODE",VALUE="video-edge"
#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID="720p60",NAME="720p60",AUTOSELECT=YES,DEFAULT=YES
#EXT-X-STREAM-INF:BANDWIDTH=3422999,RESOLUTION=1280x720,CODECS="avc1.4D401F,mp4a.40.2",VIDEO="720p60",FRAME-RATE=60.000
720/index.m3u8?v=1
`

// TestParse reads one playlist of each kind back from what the reading gave.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, text := range []string{goodMedia, goodMultivariant, strings.ReplaceAll(goodMedia, "\n", "\r\n")} {
		p, problems := parse([]byte(text))
		if len(problems) > 0 {
			t.Fatalf("problems: %v", problems)
		}
		again, problems := parse([]byte(p.marshal()))
		if len(problems) > 0 || !reflect.DeepEqual(p, again) {
			t.Errorf("%s\nbecame\n%s%v", text, again.marshal(), problems)
		}
	}
}

func TestParseMedia(t *testing.T) {
	t.Parallel()
	p, _ := parse([]byte(goodMedia))
	m := p.media
	if m.first() != 10 || m.end() != 12 || len(m.open.parts) != 1 || m.segments[0].parts[1].bytes.offset != 7 {
		t.Errorf("read as %+v", m)
	}
	if msn, part := m.last(); msn != 12 || part != 0 {
		t.Errorf("last is %d.%d", msn, part)
	}
	if m.mapFor(12).uri != "init.mp4" {
		t.Error("the map does not carry over")
	}
	if got := m.dateAtEnd().Format("05.000"); got != "25.650" {
		t.Errorf("the end is at %s", got)
	}
}

// TestParseProblems: each line, put into a playlist that is right, breaks the clause beside it.
func TestParseProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, clause string }{
		{"#EXTM3U", "4.4.1.1"},
		{"#EXT-X-VERSION:3", "4.4.1.2"},
		{"#EXT-X-INDEPENDENT-SEGMENTS:YES", "4.4.2.1"},
		{"#EXT-X-START:PRECISE=YES", "4.4.2.2"},
		{"#EXT-X-TARGETDURATION:2", "4.4.3.1"},
		{"#EXT-X-MEDIA-SEQUENCE:9", "4.4.3.2"},
		{"#EXT-X-DISCONTINUITY-SEQUENCE:2", "4.4.3.3"},
		{"#EXT-X-ENDLIST:1", "4.4.3.4"},
		{"#EXT-X-PLAYLIST-TYPE:LIVE", "4.4.3.5"},
		{"#EXT-X-PART-INF:PART-TARGET=0", "4.4.3.7"},
		{"#EXT-X-SERVER-CONTROL:CAN-SKIP-DATERANGES=YES", "4.4.3.8"},
		{"#EXTINF:2", "4.4.4.1"},
		{"#EXTINF:-2,", "4.4.4.1"},
		{"#EXTINF:1e3,", "4.4.4.1"},
		{"segment-without-extinf.ts", "4.4.4.1"},
		{"#EXT-X-BYTERANGE:x", "4.4.4.2"},
		{"#EXT-X-KEY:METHOD=AES-128", "4.4.4.4"},
		{"#EXT-X-MAP:URI=init.mp4", "4.4.4.5"},
		{`#EXT-X-MAP:URI="init.mp4",BYTERANGE="3"`, "4.4.4.5"},
		{"#EXT-X-PROGRAM-DATE-TIME:yesterday", "4.4.4.6"},
		{"#EXT-X-GAP:YES", "4.4.4.7"},
		{"#EXT-X-BITRATE:fast", "4.4.4.8"},
		{`#EXT-X-PART:URI="x.m4s"`, "4.4.4.9"},
		{`#EXT-X-PART:URI="x.m4s", DURATION=0.5`, "4.4.4.9"},
		{`#EXT-X-PART:URI="x.m4s",DURATION=0.5,DURATION=0.5`, "4.4.4.9"},
		{`#EXT-X-PART:URI="x.m4s",DURATION=0.5,INDEPENDENT=NO`, "4.4.4.9"},
		{`#EXT-X-PART:URI="x.m4s,DURATION=0.5`, "4.4.4.9"},
		{"#EXT-X-DATERANGE:CLASS=\"x\"", "4.4.5.1"},
		{"#EXT-X-SKIP:SKIPPED-SEGMENTS=2", "4.4.5.2"},
		{"#EXT-X-PRELOAD-HINT:TYPE=SEGMENT,URI=\"x\"", "4.4.5.3"},
		{"#EXT-X-RENDITION-REPORT:URI=\"http://elsewhere/x.m3u8\"", "4.4.5.4"},
		{"#EXT-X-STREAM-INF:BANDWIDTH=1", "4.4.6"},
		{"#EXT-X-SESSION-DATA:DATA-ID=\"x\"", "4.4.6.4"},
		{"a b.m4s", "4.1"},
		{"a\x01b.m4s", "4.1"},
	}
	for _, test := range tests {
		_, problems := parse([]byte(goodMedia + test.line + "\n"))
		found := false
		for _, p := range problems {
			found = found || p.clause == test.clause
		}
		if !found {
			t.Errorf("%q: want a breach of %s, got %v", test.line, test.clause, problems)
		}
	}
}

// FuzzParse: whatever is read without a problem can be written and read again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(goodMedia))
	f.Add([]byte(goodMultivariant))
	f.Add([]byte("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST"))
	f.Add([]byte("#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n#EXT-X-START:TIME-OFFSET=-1.5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, problems := parse(data)
		if len(problems) > 0 || p == nil {
			return
		}
		if p.media != nil {
			checkMedia(p.media)
			checkUpdate(p.media, p.media)
		} else {
			checkMultivariant(p.multivariant)
		}
		text := p.marshal()
		again, problems := parse([]byte(text))
		if len(problems) > 0 {
			t.Fatalf("%q became %q: %v", data, text, problems)
		}
		if !reflect.DeepEqual(p, again) {
			t.Fatalf("%q became %q", data, text)
		}
	})
}
