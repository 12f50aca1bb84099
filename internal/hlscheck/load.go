package hlscheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// origin is what the checker sends as Origin, to see what a page on another site would see.
const origin = "https://checker.invalid"

// maxBody bounds one download.
const maxBody = 256 << 20

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration // from sending the request to the last byte
	at     time.Time     // when the last byte came
}

func (a *answer) ok() bool { return a.status == http.StatusOK || a.status == http.StatusPartialContent }

// get loads u, or the range of it. An error means that no whole answer came.
func get(ctx context.Context, client *http.Client, u *url.URL, r *byteRange) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Origin", origin)
	if r != nil {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.offset, r.offset+r.length-1))
	}
	start := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end or of no further use
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("the resource is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", u.Path, err)
	}
	now := time.Now()
	return &answer{response.StatusCode, response.Header, body, now.Sub(start), now}, nil
}

// checkPlaylistHeaders: the type identifies a playlist (section 4), pages of other sites may read it, and caches keep
// it no longer than B.1 allows. The playlist may be nil when it could not be parsed.
func checkPlaylistHeaders(u *url.URL, a *answer, p *playlist, blocking bool) findings {
	var f findings
	kind := contentType(a)
	known := kind == "application/vnd.apple.mpegurl" || kind == "audio/mpegurl" || kind == "application/x-mpegurl"
	named := path.Ext(u.Path) == ".m3u8" || path.Ext(u.Path) == ".m3u"
	f.must(known || named, "4", "Content-Type %q and no .m3u8 in the path: not identifiable as a playlist", kind)
	f.should(known, "4", "Content-Type of a playlist is %q", kind)
	checkCORS(&f, a)
	age, cached := maxAge(a)
	if p == nil || p.media == nil || p.media.ended || !cached {
		return f
	}
	limit, what := p.media.target, "a plain reload"
	if blocking {
		limit, what = 6*p.media.target, "a blocking reload"
	}
	f.must(age <= limit, "B.1", "caches may keep %s for %d s; the Target Duration is %d s", what, age, p.media.target)
	return f
}

// checkMediaHeaders: what a cache and a browser need to know of media bytes.
func checkMediaHeaders(a *answer, what string, ts bool) findings {
	var f findings
	kind := contentType(a)
	if ts {
		f.should(kind == "video/mp2t", "3.1.1", "Content-Type of %s is %q", what, kind)
	} else {
		f.should(kind == "video/mp4" || kind == "audio/mp4" || kind == "application/mp4" || kind == "video/iso.segment",
			"3.1.2", "Content-Type of %s is %q", what, kind)
	}
	checkCORS(&f, a)
	control := strings.ToLower(a.header.Get("Cache-Control"))
	f.should(!strings.Contains(control, "no-store") && !strings.Contains(control, "no-cache"), "B.1",
		"%s cannot be cached: Cache-Control %q", what, control)
	return f
}

func checkCORS(f *findings, a *answer) {
	allowed := a.header.Get("Access-Control-Allow-Origin")
	f.should(allowed == "*" || allowed == origin, "HTTP", "Access-Control-Allow-Origin is %q for a page of another site", allowed)
}

func contentType(a *answer) string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return strings.ToLower(a.header.Get("Content-Type"))
	}
	return kind
}

// maxAge reads how many seconds a shared cache may keep the answer.
func maxAge(a *answer) (age int64, found bool) {
	for directive := range strings.SplitSeq(strings.ToLower(a.header.Get("Cache-Control")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if name == "no-store" || name == "no-cache" || name == "private" {
			return 0, false
		}
		if name != "max-age" && name != "s-maxage" {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			age, found = max(age, n), true
		}
	}
	return age, found
}
