package app

import (
	"net/http"
	"strings"
)

// route is the one list of what the HTTP port serves.
//
//	/api/video/…                       playback
//	/rt/whip…, /rt/events/<stage>      joining stages
//	POST /<Operation>, …/tags/<arn>    the three APIs
//	/, /watch, /console/…              web pages
//	anything else                      an API error: SDKs must be able to read it
func (s *server) route(pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.stages.handler(r); h != nil {
			h.ServeHTTP(w, r)
			return
		}
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/video/"):
			s.origin.ServeHTTP(w, r)
		case s.api.Handles(r):
			s.api.ServeHTTP(w, r)
		case (path == "/" || path == "/watch" || path == "/stage" || strings.HasPrefix(path, "/console/")) && r.Method != http.MethodPost:
			pages.ServeHTTP(w, r)
		default:
			s.api.ServeHTTP(w, r)
		}
	})
}
