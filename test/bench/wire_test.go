package main

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestReadHead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want head
		bad  bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-length: 12\r\n\r\nbody", head{200, 12}, false},
		{"HTTP/1.1 404 Not Found\r\n\r\n", head{404, -1}, false},
		{"HTTP/1.1 204\r\n\r\n", head{204, -1}, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", head{}, true},
		{"HTTP/1.1 two OK\r\n\r\n", head{}, true},
		{"HTTP/2 200\r\n\r\n", head{}, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", head{}, true},
	} {
		h, err := readHead(bufio.NewReader(strings.NewReader(c.text)))
		if h != c.want || (err != nil) != c.bad {
			t.Errorf("%q: %+v, %v", c.text, h, err)
		}
	}
}

func TestWireKeepsItsPlace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			w.Header().Set("Content-Length", "307200")
			_, _ = w.Write([]byte(long))
			return
		}
		_, _ = w.Write([]byte(r.URL.Path))
	}))
	t.Cleanup(s.Close)
	w, err := dialWire(t.Context(), s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	var scratch sync.Pool
	for range 3 {
		if status, n, err := w.discard(get("h", "/long"), &scratch); status != 200 || int(n) != len(long) || err != nil {
			t.Fatalf("discard: %d, %d bytes, %v", status, n, err)
		}
		if status, body, err := w.do(get("h", "/short"), nil); status != 200 || string(body) != "/short" || err != nil {
			t.Fatalf("do: %d, %q, %v", status, body, err)
		}
		if _, body, err := w.do(get("h", "/long"), []byte("kept")); string(body) != "kept"+long || err != nil {
			t.Fatalf("do: %d bytes, %v", len(body), err)
		}
	}
}
