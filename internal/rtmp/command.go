package rtmp

import (
	"errors"
	"net/url"
	"strings"
	"unicode"

	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// command is an AMF0 command message (Adobe RTMP 1.0, section 7.2).
type command struct {
	name        string
	transaction float64
	args        []any  // the command object first
	streamID    uint32 // message stream that it came on
}

var errNotCommand = errors.New("rtmp: a command does not begin with its name and a number")

// parseCommand decodes a command message. The AMF3 form holds AMF0 values behind one byte that says so.
func parseCommand(m chunk.Message) (command, error) {
	payload := m.Payload
	if m.Type == chunk.TypeCommandAMF3 && len(payload) > 0 && payload[0] == 0 {
		payload = payload[1:]
	}
	values, err := amf0.Decode(payload)
	if err != nil {
		return command{}, err
	}
	if len(values) < 2 {
		return command{}, errNotCommand
	}
	name, isText := values[0].(string)
	transaction, isNumber := values[1].(float64)
	if !isText || !isNumber {
		return command{}, errNotCommand
	}
	return command{name: name, transaction: transaction, args: values[2:], streamID: m.StreamID}, nil
}

// text returns argument i if it is a string, else "".
func (c command) text(i int) string {
	if i >= len(c.args) {
		return ""
	}
	s, _ := c.args[i].(string)
	return s
}

// object returns argument i if it has properties, else nil.
func (c command) object(i int) amf0.Object {
	if i >= len(c.args) {
		return nil
	}
	switch v := c.args[i].(type) {
	case amf0.Object:
		return v
	case amf0.ECMAArray:
		return amf0.Object(v)
	}
	return nil
}

// textOf returns a property if it is a string, else "".
func textOf(o amf0.Object, name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}

// Bounds of what comes with a publish request.
const (
	maxName       = 1024 // bytes of application or stream name, query excluded
	maxQuery      = 1024 // bytes of a query
	maxParameters = 32
	maxVersion    = 128 // bytes kept of the encoder's name
)

// target is where a publish request wants to go.
type target struct {
	app, key string
	query    url.Values
}

// parseTarget reads the target from the application of the connect request and the name of the publish request. The key
// is the name, or, when an encoder was given the whole URL as its server and the name stays empty, the last part of the
// application. Both may carry a query; where they disagree, the name's wins. Blanks around each part are no part of it:
// they come with what is copied from a page. Errors do not quote their input.
func parseTarget(app, name string) (target, error) {
	app, appQuery, _ := strings.Cut(app, "?")
	name, nameQuery, _ := strings.Cut(name, "?")
	app, name = strings.TrimFunc(app, isMargin), strings.TrimFunc(name, isMargin)
	appQuery, nameQuery = strings.TrimFunc(appQuery, isBlank), strings.TrimFunc(nameQuery, isBlank)
	if len(app) > maxName || len(name) > maxName || len(appQuery) > maxQuery || len(nameQuery) > maxQuery {
		return target{}, &Rejection{CodeRejected, "the application, the stream name or its parameters are too long"}
	}
	if name == "" {
		if i := strings.LastIndexByte(app, '/'); i >= 0 {
			app, name = strings.TrimFunc(app[:i], isMargin), strings.TrimFunc(app[i+1:], isMargin)
		}
	}
	query, _ := url.ParseQuery(nameQuery) // pairs that cannot be read are left out
	more, _ := url.ParseQuery(appQuery)
	for k, v := range more {
		if !query.Has(k) {
			query[k] = v
		}
	}
	parameters := 0
	for _, v := range query {
		parameters += len(v)
	}
	if parameters > maxParameters {
		return target{}, &Rejection{CodeRejected, "the stream name has too many parameters"}
	}
	return target{app: app, key: name, query: query}, nil
}

// isMargin reports whether a character around an application or a name does not belong to it.
func isMargin(r rune) bool { return r == '/' || isBlank(r) }

// isBlank reports whether a character cannot be seen: blanks, line breaks, and the formatting characters of web pages.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// Chunk streams of what the server sends.
const (
	controlStream = 2
	commandStream = 3
	statusStream  = 5
)

// appendCommand appends a command message. Its values are built here, so that they encode is a matter of the tests.
func appendCommand(dst []byte, chunkStream, streamID uint32, values ...any) []byte {
	payload, err := amf0.Append(nil, values...)
	if err != nil {
		return dst
	}
	m := chunk.Message{Type: chunk.TypeCommandAMF0, StreamID: streamID, Payload: payload}
	return chunk.Format{Size: sendChunkSize}.Append(dst, chunkStream, m)
}

// appendStatus appends an onStatus message. The level is "status" or "error".
func appendStatus(dst []byte, streamID uint32, level, code, description string) []byte {
	return appendCommand(dst, statusStream, streamID, "onStatus", 0.0, nil, amf0.Object{
		{Name: "level", Value: level},
		{Name: "code", Value: code},
		{Name: "description", Value: description},
	})
}

// connectResult is the answer to a connect request: what the server is, and how it went. A client of Enhanced RTMP is
// told which codecs it may send.
func connectResult(request amf0.Object) (properties, info amf0.Object) {
	properties = amf0.Object{
		{Name: "fmsVer", Value: "FMS/3,5,7,7009"}, // some encoders look for a version that they know
		{Name: "capabilities", Value: 31.0},
		{Name: "mode", Value: 1.0},
	}
	info = amf0.Object{
		{Name: "level", Value: "status"},
		{Name: "code", Value: CodeConnectOK},
		{Name: "description", Value: "Connection succeeded."},
		{Name: "objectEncoding", Value: 0.0},
	}
	_, hasList := request.Get("fourCcList")
	_, hasMap := request.Get("videoFourCcInfoMap")
	if hasList || hasMap {
		const canDecodeAndForward = 1.0 + 4.0
		info = append(info,
			amf0.Property{Name: "fourCcList", Value: amf0.StrictArray{"avc1", "mp4a"}},
			amf0.Property{Name: "videoFourCcInfoMap", Value: amf0.Object{{Name: "avc1", Value: canDecodeAndForward}}},
			amf0.Property{Name: "audioFourCcInfoMap", Value: amf0.Object{{Name: "mp4a", Value: canDecodeAndForward}}},
			amf0.Property{Name: "capsEx", Value: 0.0}, // no reconnect requests, no multitrack
		)
	}
	return properties, info
}
