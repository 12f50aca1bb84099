// Package queryxml is the codec of the query protocol, which STS, IAM and SNS speak (spec neighbours.md 1): a request is
// a form, with lists as Name.member.1 and maps as Name.entry.1.key, and an answer is XML with the result of the operation
// inside, or an error.
//
// The generated wire types call it, as those of the JSON protocols call package restjson, whose constraint checks and
// points in time serve here too. A Form never panics, whatever it is given, and what is made of it is bounded by
// MaxParams.
//
// Imports: awsapi/restjson.
package queryxml

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"strconv"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// API is a service that speaks the protocol.
type API struct {
	Version   string // that requests name, a date
	Namespace string // of its answers
}

// defaultNamespace is that of answers to requests that name no service.
const defaultNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// AppendAnswer appends the answer of an operation. members appends the elements of its result; nil means that the
// operation has none.
func AppendAnswer(b []byte, api API, operation, requestID string, members func(b []byte) []byte) []byte {
	b = appendOpening(b, operation+"Response", api.Namespace)
	if members != nil {
		result := operation + "Result"
		b = closing(members(opening(b, result)), result)
	}
	b = AppendElement(opening(b, "ResponseMetadata"), "RequestId", requestID)
	b = closing(b, "ResponseMetadata")
	return append(closing(b, operation+"Response"), '\n')
}

// Error is what a client is told of a failure.
type Error struct {
	Ours      bool // the server's fault, not the sender's
	Code      string
	Message   string
	RequestID string
}

// AppendError appends an error of a service; the zero API stands for a request that names none.
func AppendError(b []byte, api API, e Error) []byte {
	if api.Namespace == "" {
		api.Namespace = defaultNamespace
	}
	from := "Sender"
	if e.Ours {
		from = "Receiver"
	}
	b = appendOpening(b, "ErrorResponse", api.Namespace)
	b = append(b, "<Error>"...)
	b = AppendElement(b, "Type", from)
	b = AppendElement(b, "Code", e.Code)
	b = AppendElement(b, "Message", e.Message)
	b = append(b, "</Error>"...)
	b = AppendElement(b, "RequestId", e.RequestID)
	return append(b, "</ErrorResponse>\n"...)
}

// AppendElement appends an element that holds a text. The name is one of a model, and so a name of XML.
func AppendElement(b []byte, name, text string) []byte {
	return closing(appendText(opening(b, name), text), name)
}

// AppendBool appends a boolean.
func AppendBool(b []byte, name string, v bool) []byte {
	return closing(strconv.AppendBool(opening(b, name), v), name)
}

// AppendInt appends an integer.
func AppendInt[T int32 | int64](b []byte, name string, n T) []byte {
	return closing(strconv.AppendInt(opening(b, name), int64(n), 10), name)
}

// AppendTime appends a point in time in ISO 8601 with whole seconds.
func AppendTime(b []byte, name string, t restjson.Timestamp) []byte {
	return closing(time.Time(t).UTC().AppendFormat(opening(b, name), "2006-01-02T15:04:05Z"), name)
}

// AppendBlob appends bytes in base64.
func AppendBlob(b []byte, name string, data []byte) []byte {
	return closing(base64.StdEncoding.AppendEncode(opening(b, name), data), name)
}

// opening appends the tag before an element.
func opening(b []byte, name string) []byte { return append(append(append(b, '<'), name...), '>') }

// closing appends the tag behind it.
func closing(b []byte, name string) []byte { return append(append(append(b, "</"...), name...), '>') }

// appendOpening appends the tag that begins an answer.
func appendOpening(b []byte, name, namespace string) []byte {
	b = append(append(append(b, '<'), name...), " xmlns=\""...)
	b = appendText(b, namespace)
	return append(b, "\">"...)
}

// appendText appends a text, escaped for an element and for an attribute. What XML cannot hold becomes U+FFFD.
func appendText(b []byte, text string) []byte {
	w := bytes.NewBuffer(b)
	_ = xml.EscapeText(w, []byte(text)) // writes to memory do not fail
	return w.Bytes()
}
