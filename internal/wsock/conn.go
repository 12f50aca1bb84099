package wsock

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Conn is a client's connection.
type Conn struct {
	ws      *websocket.Conn
	control *http.ResponseController // of the request that it came with
}

// Accept makes a WebSocket of a request, with a subprotocol that the client has offered, "" for none. When it fails it has
// answered the request. Any origin may connect: what lets clients in must be something that they say, not a cookie.
func Accept(w http.ResponseWriter, r *http.Request, protocol string) (*Conn, error) {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true}
	if protocol != "" {
		options.Subprotocols = []string{protocol}
	}
	ws, err := websocket.Accept(w, r, options)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what is wrong with the request
	}
	ws.SetReadLimit(-1) // receive has the limit, and tells of it
	return &Conn{ws: ws, control: http.NewResponseController(w)}, nil
}

// Release frees the connection, at once.
func (c *Conn) Release() { _ = c.ws.CloseNow() }

// Refuse tells the client why it is not let in and closes, within DefaultGoodbye.
func (c *Conn) Refuse(ctx context.Context, why Farewell) {
	late := time.AfterFunc(DefaultGoodbye, c.cut)
	defer late.Stop()
	c.bid(ctx, why, DefaultGoodbye)
}

// cut makes every read and write fail. Releasing is not enough while the close handshake runs: it waits for that, and the
// handshake, once it is in a message of the client, for the message's end, which may never come.
func (c *Conn) cut() {
	past := time.Unix(1, 0)
	_ = c.control.SetReadDeadline(past)
	_ = c.control.SetWriteDeadline(past)
}

// bid says goodbye. Half of the patience is for the last message, so that the close frame has a chance.
func (c *Conn) bid(ctx context.Context, why Farewell, patience time.Duration) {
	if why.Message != nil {
		_ = c.write(ctx, why.Message, patience/2)
	}
	_ = c.ws.Close(websocket.StatusCode(why.Code), why.shortReason())
}

func (c *Conn) write(ctx context.Context, b []byte, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, b) //nolint:wrapcheck // for us
}

func (c *Conn) ping(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.ws.Ping(ctx) //nolint:wrapcheck // for us
}
