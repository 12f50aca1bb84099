package whip

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// bearer returns the token of a request (RFC 6750, section 2.1).
func bearer(r *http.Request) (string, bool) {
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	text = strings.TrimSpace(text)
	return text, ok && strings.EqualFold(scheme, "Bearer") && text != ""
}

// authenticate verifies the token of a request, or answers why not.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request) (string, token.Claims, bool) {
	text, ok := bearer(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "a participant token is required", http.StatusUnauthorized)
		return "", token.Claims{}, false
	}
	claims, err := h.opt.Verifier.Verify(r.Context(), text)
	if err == nil {
		return text, claims, true
	}
	refusal, ok := errors.AsType[*token.Refusal](err)
	if !ok {
		if !fault.Is(err, fault.Unavailable) {
			h.opt.Logger.Error("a token could not be verified", "error", err)
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "tokens cannot be verified now", http.StatusServiceUnavailable)
		return "", token.Claims{}, false
	}
	if refusal.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	http.Error(w, refusal.Error(), refusal.Status)
	return "", token.Claims{}, false
}

// body reads a body of the given type, or answers why not.
func body(w http.ResponseWriter, r *http.Request, want string) (string, bool) {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		w.Header().Set("Accept", want)
		http.Error(w, "the body must be "+want, http.StatusUnsupportedMediaType)
		return "", false
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		http.Error(w, "the body is too long", http.StatusRequestEntityTooLarge)
		return "", false
	}
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return "", false
	}
	return string(b), true
}

// maxEdition is what a page can count to.
const maxEdition = 1<<53 - 1

var errEdition = errors.New(headerEdition + " must be like page.7")

// parseEdition reads the header that numbers publications. "" is none.
func parseEdition(text string) (Edition, error) {
	if text == "" {
		return Edition{}, nil
	}
	page, digits, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(digits, 10, 64)
	if !participantID(page) || err != nil || n == 0 || n > maxEdition {
		return Edition{}, errEdition
	}
	return Edition{Page: page, Number: n}, nil
}

func notAllowed(w http.ResponseWriter, methods string) {
	w.Header().Set("Allow", methods)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

// gone answers a request for what is not there: 404, or 204 to a client that prefers lenient handling (RFC 7240, section
// 4.4). A page cannot know that a publisher or a session has ended while its request was under way, and browsers show any
// 4xx as an error of the page. Who only looks gets the 404: for GET, 204 means that the session is there.
func gone(w http.ResponseWriter, r *http.Request, why string) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || !lenient(r) {
		http.Error(w, why, http.StatusNotFound)
		return
	}
	w.Header().Set("Preference-Applied", "handling=lenient")
	w.WriteHeader(http.StatusNoContent)
}

// lenient reports whether the client prefers lenient handling.
func lenient(r *http.Request) bool {
	for _, line := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
			if strings.EqualFold(name, "handling") && strings.EqualFold(strings.Trim(value, `"`), "lenient") {
				return true
			}
		}
	}
	return false
}
