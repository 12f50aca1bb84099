package eventbridge_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// listenAgain serves an address that was given up before.
func listenAgain(t *testing.T, address string, got func(body string)) (stop func()) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got(string(body))
	})}}
	srv.Start()
	return srv.Close
}
