package delivery

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/egress"
)

// FuzzAnswers: whatever a target or a token endpoint answers, the judgment stays within bounds.
func FuzzAnswers(f *testing.F) {
	f.Add(503, "120", "AccessDenied:x", `{"__type":"a#B","access_token":"t","expires_in":3600}`)
	f.Add(429, "-1", "", `<Error><Code>Throttling</Code></Error>`)
	f.Add(200, "Wed, 21 Oct 2099 07:28:00 GMT", "", `{"access_token":"a\r\nb","expires_in":"x"}`)
	f.Fuzz(func(t *testing.T, status int, after, kind, body string) {
		h := http.Header{"Retry-After": {after}, "X-Amzn-Errortype": {kind}}
		answer := egress.Answer{Status: status, Header: h, Body: []byte(body)}
		for _, err := range []error{answerFailure(answer, time.Now()), refusal(status, errorCode(h, answer.Body), h)} {
			if err == nil {
				if status < 200 || status > 299 {
					t.Errorf("%d is a success", status)
				}
				continue
			}
			if d := failureOf(err); d.After < 0 || d.After > defaultMaxAge || d.Code == "" && status < 500 {
				t.Errorf("%+v", d)
			}
		}
		token, life, err := readToken(answer)
		if err == nil && (token == "" || strings.ContainsAny(token, "\r\n") || life <= 0 || life > tokenLongest) {
			t.Errorf("%q for %v", token, life)
		}
	})
}
