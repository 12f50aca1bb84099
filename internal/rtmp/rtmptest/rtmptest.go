// Package rtmptest is a light RTMP publisher for tests and load generators.
//
// It sends prebuilt message bodies with the timestamps it is told, however odd, at the cost of one copy and one write
// each. It starts no goroutine, and does not check what it sends: tests use it to send what is wrong.
//
// Imports: media/amf0, rtmp/chunk.
package rtmptest

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// Options configures a Client. The zero value is a plain one with chunks of 64 KiB.
type Options struct {
	Format   chunk.Format // how messages are cut; a Size of 0 means 64 KiB
	TLS      *tls.Config  // used for rtmps:// URLs
	FourCCs  []string     // fourCcList of the connect request, if any
	Encoder  string       // flashVer of the connect request
	KeyInURL bool         // whole path as application, with an empty stream name
}

// Status is an onStatus or _error message of the level "error".
type Status struct{ Level, Code, Description string }

// Error returns code and description.
func (s *Status) Error() string { return s.Code + ": " + s.Description }

// Client is one connection to an RTMP server. It is not safe for use from several goroutines, except that one may read
// (Read, Wait) while another one sends.
type Client struct {
	nc     net.Conn
	in     *chunk.Reader
	format chunk.Format
	buf    []byte
	fours  []string
	flash  string
}

// Dial connects to the server that rawURL names, "rtmp://host:port/app/key?query" or rtmps, and publishes. The error is
// a *Status when the server refuses. ctx bounds dialling only.
func Dial(ctx context.Context, rawURL string, o Options) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("rtmptest: %w", err)
	}
	var nc net.Conn
	if u.Scheme == "rtmps" {
		d := tls.Dialer{Config: o.TLS}
		nc, err = d.DialContext(ctx, "tcp", u.Host)
	} else {
		var d net.Dialer
		nc, err = d.DialContext(ctx, "tcp", u.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("rtmptest: %w", err)
	}
	app, name, _ := strings.Cut(strings.TrimPrefix(u.RequestURI(), "/"), "/")
	if o.KeyInURL {
		app, name = app+"/"+name, ""
	}
	c := New(nc, o)
	if deadline, ok := ctx.Deadline(); ok {
		err = nc.SetDeadline(deadline)
	}
	if err == nil {
		err = c.Handshake()
	}
	if err == nil {
		err = c.Publish(app, name)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// New returns a client on an open connection that has said nothing yet.
func New(nc net.Conn, o Options) *Client {
	if o.Format.Size == 0 {
		o.Format.Size = 64 << 10
	}
	c := &Client{nc: nc, format: o.Format, fours: o.FourCCs, flash: o.Encoder}
	c.in = chunk.NewReader(nc, 4<<10, chunk.Limits{MaxMedia: 1 << 20, MaxOther: 1 << 20, MaxPending: 4 << 20, MaxStreams: 64})
	return c
}

// Handshake does the simple handshake.
func (c *Client) Handshake() error {
	hello := make([]byte, 1+1536)
	hello[0] = 3
	if err := c.Write(hello); err != nil {
		return err
	}
	answer := make([]byte, 1+2*1536)
	if _, err := io.ReadFull(c.nc, answer); err != nil {
		return fmt.Errorf("rtmptest: handshake: %w", err)
	}
	return c.Write(answer[1 : 1+1536])
}

// Connect sends the connect request and the chunk size, and waits for the answer.
func (c *Client) Connect(app string) error {
	size := binary.BigEndian.AppendUint32(nil, uint32(c.format.Size))
	c.buf = chunk.Format{Size: chunk.DefaultSize}.Append(c.buf[:0], 2, chunk.Message{Type: chunk.TypeSetChunkSize, Payload: size})
	if err := c.Write(c.buf); err != nil {
		return err
	}
	request := amf0.Object{
		{Name: "app", Value: app},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: c.flash},
		{Name: "tcUrl", Value: "rtmp://" + c.nc.RemoteAddr().String() + "/" + app},
	}
	if len(c.fours) > 0 {
		list := amf0.StrictArray{}
		for _, f := range c.fours {
			list = append(list, f)
		}
		request = append(request, amf0.Property{Name: "fourCcList", Value: list})
	}
	if err := c.Command(0, "connect", 1.0, request); err != nil {
		return err
	}
	_, err := c.Await("_result")
	return err
}

// Publish connects, creates a stream and publishes on it.
func (c *Client) Publish(app, name string) error {
	if err := c.Connect(app); err != nil {
		return err
	}
	err := c.commands([]any{"releaseStream", 2.0, nil, name}, []any{"FCPublish", 3.0, nil, name}, []any{"createStream", 4.0, nil})
	if err != nil {
		return err
	}
	for answered := any(nil); answered != 4.0; {
		values, err := c.Await("_result")
		if err != nil {
			return err
		}
		if len(values) > 1 {
			answered = values[1]
		}
	}
	if err := c.Command(1, "publish", 5.0, nil, name, "live"); err != nil {
		return err
	}
	_, err = c.Await("onStatus")
	return err
}

// commands sends commands about the connection with one write.
func (c *Client) commands(all ...[]any) error {
	c.buf = c.buf[:0]
	for _, values := range all {
		payload, err := amf0.Append(nil, values...)
		if err != nil {
			return err
		}
		c.buf = c.format.Append(c.buf, 3, chunk.Message{Type: chunk.TypeCommandAMF0, Payload: payload})
	}
	return c.Write(c.buf)
}

// Command sends a command message.
func (c *Client) Command(streamID uint32, values ...any) error {
	payload, err := amf0.Append(nil, values...)
	if err != nil {
		return err
	}
	return c.Send(3, chunk.Message{Type: chunk.TypeCommandAMF0, StreamID: streamID, Payload: payload})
}

// Send sends any message on the given chunk stream.
func (c *Client) Send(chunkStream uint32, m chunk.Message) error {
	c.buf = c.format.Append(c.buf[:0], chunkStream, m)
	return c.Write(c.buf)
}

// Audio sends an audio message on the published stream.
func (c *Client) Audio(timestamp uint32, body []byte) error {
	return c.Send(4, chunk.Message{Type: chunk.TypeAudio, StreamID: 1, Timestamp: timestamp, Payload: body})
}

// Video sends a video message on the published stream.
func (c *Client) Video(timestamp uint32, body []byte) error {
	return c.Send(6, chunk.Message{Type: chunk.TypeVideo, StreamID: 1, Timestamp: timestamp, Payload: body})
}

// Data sends script data, for instance "@setDataFrame", "onMetaData" and an array.
func (c *Client) Data(timestamp uint32, values ...any) error {
	payload, err := amf0.Append(nil, values...)
	if err != nil {
		return err
	}
	return c.Send(5, chunk.Message{Type: chunk.TypeDataAMF0, StreamID: 1, Timestamp: timestamp, Payload: payload})
}

// Write sends bytes as they are.
func (c *Client) Write(b []byte) error {
	_, err := c.nc.Write(b)
	return err
}

// Read returns the next message of the server.
func (c *Client) Read() (chunk.Message, error) { return c.in.Next() }

// Await reads until a command of this name comes and returns its values. An error status is returned as a *Status.
func (c *Client) Await(name string) ([]any, error) {
	for {
		m, err := c.in.Next()
		if err != nil {
			return nil, fmt.Errorf("rtmptest: waiting for %s: %w", name, err)
		}
		if m.Type != chunk.TypeCommandAMF0 {
			continue
		}
		values, err := amf0.Decode(m.Payload)
		if err != nil {
			return nil, err
		}
		if status := statusOf(values); status.Level == "error" {
			return values, status
		}
		if values[0] == name {
			return values, nil
		}
	}
}

// Wait reads until the server ends the connection. It returns what the server said about that, nil if it did not
// complain.
func (c *Client) Wait() error {
	for {
		_, err := c.Await("")
		if status, is := errors.AsType[*Status](err); is {
			return status
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Unpublish ends the stream in good order, as encoders do it before they close.
func (c *Client) Unpublish() error {
	return c.commands([]any{"FCUnpublish", 6.0, nil, ""}, []any{"deleteStream", 7.0, nil, 1.0})
}

// Conn returns the connection, for deadlines and for what ends it without a word.
func (c *Client) Conn() net.Conn { return c.nc }

// Close closes the connection.
func (c *Client) Close() error { return c.nc.Close() }

// statusOf reads the information object of an answer.
func statusOf(values []any) *Status {
	s := &Status{}
	if len(values) < 4 {
		return s
	}
	info, _ := values[3].(amf0.Object)
	for name, field := range map[string]*string{"level": &s.Level, "code": &s.Code, "description": &s.Description} {
		v, _ := info.Get(name)
		*field, _ = v.(string)
	}
	return s
}
