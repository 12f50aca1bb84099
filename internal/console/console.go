// Package console serves the web pages that are built from web/ and embedded into the binary.
//
// The pages are clients of the public API and of playback like any other; nothing in the server knows them.
//
// Imports: nothing of Rivus.
package console

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed all:dist
var dist embed.FS //nolint:gochecknoglobals // embed needs a package variable; it is read-only

// policy lets the pages load code and styles from this origin only. Media and playlists may come from any origin,
// because a channel's playback URL may name another host; hls.js makes workers and media from blobs, and the track of the
// metadata cues from a data URL.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src *; media-src * blob: data:; worker-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// devices may be used by the pages, and by no page that they would frame.
const devices = "camera=(self), microphone=(self), display-capture=(self)"

// Handler serves "/", "/watch", "/stage", the icon that browsers ask for by themselves and everything below "/console/".
// Any other path is the start page with the status 404, which says so.
func Handler() (http.Handler, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	index, err := fs.ReadFile(root, "index.html")
	if err != nil {
		return nil, err
	}
	assets := http.StripPrefix("/console/", http.FileServerFS(root))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "strict-origin") // channels may ask which page plays them; the address may hold a token
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/console/assets/"):
			h.Set("Cache-Control", "public, max-age=31536000, immutable") // names carry a hash of the content
			assets.ServeHTTP(w, r)
		case path == "/favicon.ico":
			h.Set("Cache-Control", "public, max-age=86400")
			http.ServeFileFS(w, r, root, "favicon.svg")
		default:
			h.Set("Content-Security-Policy", policy)
			h.Set("Permissions-Policy", devices)
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Cache-Control", "no-cache")
			if path != "/" && path != "/watch" && path != "/stage" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = w.Write(index)
		}
	}), nil
}
