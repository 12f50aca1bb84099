package origin

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// media answers with an init segment, a segment or a part. The part that the playlist hints at is waited for (6.2.6).
func (h *Handler) media(out *reply, t target, q *hls.Live) {
	target := max(q.Snapshot().TargetDuration(), time.Second)
	waited := false
	file, err := waitFor(h, out, target, func(ctx context.Context) (hls.Resource, error) {
		waited = ctx != h.noWait
		return q.Resource(ctx, t.file)
	})
	if err != nil {
		return
	}
	h.writeFile(out, &file, h.cache.media(target, out.pass != nil))
	if waited && t.kind() == Part && h.clock().Sub(file.LastFrameArrived) > partDuration(&file) {
		h.stats.late.Add(1)
	}
}

// partDuration is about how long a part plays: the frames in it arrived at about the speed at which they are shown.
func partDuration(file *hls.Resource) time.Duration {
	return max(file.LastFrameArrived.Sub(file.FirstFrameArrived), 50*time.Millisecond)
}

// writeFile sends a file, or the range of it that the request asks for, without copying it.
func (h *Handler) writeFile(out *reply, file *hls.Resource, cache playhttp.Field) {
	out.Set(fieldAcceptRanges)
	out.setVary(false)
	status, from, to := http.StatusOK, int64(0), file.Size
	// None of these files has a validator, so If-Range never matches and the whole file is the answer (RFC 9110 13.1.5).
	if out.Range != "" && out.Method == http.MethodGet && out.IfRange == "" {
		var found, ok bool
		if from, to, found, ok = parseRange(out.Range, file.Size); !ok {
			out.Set(playhttp.NewField("Content-Range", "bytes */"+strconv.FormatInt(file.Size, 10)))
			out.fail(http.StatusRequestedRangeNotSatisfiable, "range_not_satisfiable", "the file is shorter than that")
			return
		}
		if found {
			status = http.StatusPartialContent
			out.Set(playhttp.NewField("Content-Range", contentRange(from, to, file.Size)))
		}
	}
	for _, data := range file.Data {
		n := int64(len(data))
		if lo, hi := max(from, 0), min(to, n); lo < hi {
			out.Write(data[lo:hi])
		}
		from, to = from-n, to-n
	}
	out.send(status, contentType(file.ContentType), cache)
}

// contentType returns the shared header field of a media type.
func contentType(name string) playhttp.Field {
	switch name {
	case typeMP4:
		return fieldMP4
	case typeTransport:
		return fieldTransport
	}
	return playhttp.NewField("Content-Type", name)
}

func contentRange(from, to, size int64) string {
	b := make([]byte, 0, 48)
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, from, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, to-1, 10)
	b = append(b, '/')
	return string(strconv.AppendInt(b, size, 10))
}

// parseRange reads a Range header (RFC 9110 14.1.2, 14.2) for a file of size bytes and returns the bytes from..to-1. What
// is not one byte range is ignored (found is false, the range the whole file), as the RFC allows: several ranges are of
// no use to a player. ok is false when the range lies behind the end.
func parseRange(value string, size int64) (from, to int64, found, ok bool) {
	spec, isBytes := strings.CutPrefix(value, "bytes=")
	first, last, isRange := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !isRange {
		return 0, size, false, true
	}
	if first == "" { // the last so many bytes
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return 0, size, false, true
		}
		return max(size-int64(n), 0), size, true, n > 0 && size > 0
	}
	start, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return 0, size, false, true
	}
	end := uint64(size - 1)
	if last != "" {
		if end, err = strconv.ParseUint(last, 10, 63); err != nil || end < start {
			return 0, size, false, true
		}
	}
	if int64(start) >= size {
		return 0, 0, true, false
	}
	return int64(start), min(int64(end), size-1) + 1, true, true
}
