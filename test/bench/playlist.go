package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// listedPart is one EXT-X-PART.
type listedPart struct {
	uri      string
	duration time.Duration
}

// update is what a viewer takes from a media playlist.
type update struct {
	parts []listedPart // new ones, oldest first
	lost  bool         // the part that the viewer had last is not listed any more: parts contains the newest only
	hint  string       // URI of EXT-X-PRELOAD-HINT
	ended bool
}

// readUpdate returns what a playlist lists after the part with the given URI; with "", the newest part. It reads the
// end of the playlist only, as far as it is new.
func readUpdate(playlist []byte, after string) update {
	u := update{ended: bytes.HasSuffix(playlist, []byte("#EXT-X-ENDLIST\n"))}
	from := -1
	if after != "" {
		from = bytes.LastIndex(playlist, []byte(`URI="`+after+`"`))
		u.lost = from < 0
	}
	fresh := playlist[max(from, 0):]
	if from >= 0 {
		_, fresh, _ = bytes.Cut(fresh, []byte("\n")) // the rest of the line of the known part
	}
	for line := range bytes.Lines(fresh) {
		switch {
		case bytes.HasPrefix(line, []byte("#EXT-X-PART:")):
			seconds, _ := strconv.ParseFloat(attribute(line, "DURATION="), 64) // 0 counts every part as late
			p := listedPart{attribute(line, `URI="`), time.Duration(seconds * float64(time.Second))}
			if from < 0 {
				u.parts = u.parts[:0]
			}
			u.parts = append(u.parts, p)
		case bytes.HasPrefix(line, []byte("#EXT-X-PRELOAD-HINT:")):
			u.hint = attribute(line, `URI="`)
		}
	}
	return u
}

// attribute returns the value of an attribute of a tag, which begins after the given text and ends at a quote, a comma
// or the end of the line.
func attribute(tag []byte, begin string) string {
	_, value, _ := bytes.Cut(tag, []byte(begin))
	if i := bytes.IndexAny(value, "\",\r\n"); i >= 0 {
		value = value[:i]
	}
	return string(value)
}

// partNumbers returns the media sequence number and the part index in the name of a part, "seg42.3.m4s".
func partNumbers(uri string) (msn, part int64, err error) {
	rest, isPart := strings.CutPrefix(uri, "seg")
	first, rest, more := strings.Cut(rest, ".")
	second, _, ext := strings.Cut(rest, ".")
	if !isPart || !more || !ext {
		return 0, 0, fmt.Errorf("playlist: %.80q is not the name of a part", uri)
	}
	msn, errMSN := strconv.ParseInt(first, 10, 64)
	part, errPart := strconv.ParseInt(second, 10, 64)
	return msn, part, errors.Join(errMSN, errPart)
}

// firstURI returns the first line of a playlist that is a URI.
func firstURI(playlist []byte) string {
	for line := range bytes.Lines(playlist) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return string(line)
		}
	}
	return ""
}

// listedTime returns the sum of all EXTINF durations.
func listedTime(playlist []byte) time.Duration {
	var sum float64
	for line := range bytes.Lines(playlist) {
		if bytes.HasPrefix(line, []byte("#EXTINF:")) {
			seconds, _ := strconv.ParseFloat(attribute(line, "#EXTINF:"), 64) // one that cannot be read counts nothing
			sum += seconds
		}
	}
	return time.Duration(sum * float64(time.Second))
}
