package app

import (
	"net/http"
	"strings"

	"github.com/rivus-live/rivus/internal/notification"
)

// route is the one list of what the HTTP port serves.
//
//	/api/video/…                       playback
//	/SimpleNotificationService-….pem   the certificate that checks what topics send
//	/rt/whip…, /rt/events/<stage>      joining stages
//	POST /<Operation>, …/tags/<arn>    the three APIs
//	/, /watch, /stage, /console/…      web pages
//	anything else                      a page for browsers, else an API error that SDKs can read
func (s *server) route(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.stages.handler(r); h != nil {
			h.ServeHTTP(w, r)
			return
		}
		switch path := r.URL.Path; {
		case notification.IsCertificate(path):
			s.notifications.signer.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/api/video/"):
			s.origin.ServeHTTP(w, r)
		case s.api.Handles(r):
			s.api.ServeHTTP(w, r)
		case isPage(path) && r.Method != http.MethodPost, fromBrowser(r):
			pages.ServeHTTP(w, r)
		default:
			s.api.ServeHTTP(w, r)
		}
	})
}

// isPage reports whether a path is one of the web pages', or of what belongs to them.
func isPage(path string) bool {
	return path == "/" || path == "/watch" || path == "/stage" || path == "/favicon.ico" || strings.HasPrefix(path, "/console/")
}

// fromBrowser reports whether a person has typed or followed a link: no SDK asks for a page.
func fromBrowser(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}
