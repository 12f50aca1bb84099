package app

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// notTLS answers a request that came without TLS to a port that has it: a person who typed http:// reads what to do
// instead of "connection reset". It is written by hand because no HTTP server has seen the connection.
func notTLS(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil || !looksLikeHTTP(record.RecordHeader) {
		return
	}
	const text = "This port speaks HTTPS: use https:// in place of http://\n"
	_ = record.Conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 "+strconv.Itoa(http.StatusBadRequest)+" "+http.StatusText(http.StatusBadRequest)+
		"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "+strconv.Itoa(len(text))+"\r\nConnection: close\r\n\r\n"+text)
}

// looksLikeHTTP tells the beginning of an HTTP request from a TLS record, whose first byte is below 0x20.
func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		return true
	}
	return false
}
