package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// wire is a keep-alive connection that speaks just enough HTTP/1.1 to put load on a server, so cheaply that the client
// does not starve the server of CPU: no header map, no goroutine, and a body that nobody looks at is not kept.
type wire struct {
	nc net.Conn
	in *bufio.Reader
}

func dialWire(ctx context.Context, addr string) (*wire, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{nc: nc, in: bufio.NewReaderSize(nc, 4<<10)}, nil
}

func (w *wire) close() { _ = w.nc.Close() } // it was only read from to its end

// do sends a whole request and returns the answer's status and body, appended to dst.
func (w *wire) do(request, dst []byte) (status int, body []byte, err error) {
	h, err := w.exchange(request)
	if err != nil {
		return 0, dst, err
	}
	if h.length < 0 {
		return h.status, dst, errors.New("wire: answer without Content-Length")
	}
	from := len(dst)
	dst = append(dst, make([]byte, h.length)...)
	_, err = io.ReadFull(w.in, dst[from:])
	return h.status, dst, err
}

// discard sends a whole request and reads the answer's body to its end without keeping it.
func (w *wire) discard(request []byte, scratch *sync.Pool) (status int, size int64, err error) {
	h, err := w.exchange(request)
	if err != nil {
		return 0, 0, err
	}
	if h.length < 0 {
		return h.status, 0, errors.New("wire: answer without Content-Length")
	}
	n, err := w.in.Discard(int(min(h.length, int64(w.in.Buffered()))))
	if err != nil {
		return 0, 0, err
	}
	buf, ok := scratch.Get().(*[64 << 10]byte)
	if !ok {
		buf = new([64 << 10]byte)
	}
	defer scratch.Put(buf)
	for rest := h.length - int64(n); rest > 0; {
		n, err := w.nc.Read(buf[:min(rest, int64(len(buf)))])
		if err != nil {
			return 0, 0, err
		}
		rest -= int64(n)
	}
	return h.status, h.length, nil
}

// head is what matters of an answer's header.
type head struct {
	status int
	length int64 // of the body, -1 when it is not told
}

func (w *wire) exchange(request []byte) (head, error) {
	if _, err := w.nc.Write(request); err != nil {
		return head{}, err
	}
	return readHead(w.in)
}

// readHead reads the status line and the header of an answer. r must be able to hold its longest line.
func readHead(r *bufio.Reader) (head, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	h := head{length: -1}
	version, rest, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	if h.status, err = strconv.Atoi(string(code)); err != nil || string(version) != "HTTP/1.1" {
		return head{}, fmt.Errorf("wire: status line %.80q", line)
	}
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return head{}, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")) {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
			if err != nil {
				return head{}, fmt.Errorf("wire: Content-Length %.80q", value)
			}
			h.length = int64(n)
		}
	}
}

// get returns the bytes of a GET request.
func get(host, target string) []byte {
	return []byte("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
}
