// Package queryxml writes the answers of the query protocol, which STS, IAM and SNS speak (spec neighbours.md 1): XML
// with the result of the operation inside, and its error.
//
// A request of the protocol is a form, which net/url reads. Output types bring their members by AppendXML, as those of
// the JSON protocol do by AppendJSON (package restjson); the envelope is here.
//
// Imports: nothing of Rivus.
package queryxml

import (
	"bytes"
	"encoding/xml"
)

// API is a service that speaks the protocol.
type API struct {
	Service   string // as signatures and policies name it, for instance "sts"
	Version   string // that requests name, a date
	Namespace string // of its answers
}

// defaultNamespace is that of answers to requests that name no service.
const defaultNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// AppendAnswer appends the answer of an operation. members appends the elements of its result.
func AppendAnswer(b []byte, api API, operation, requestID string, members func(b []byte) []byte) []byte {
	b = appendOpening(b, operation+"Response", api.Namespace)
	b = append(append(append(b, '<'), operation...), "Result>"...)
	b = members(b)
	b = append(append(append(b, "</"...), operation...), "Result><ResponseMetadata>"...)
	b = AppendElement(b, "RequestId", requestID)
	b = append(b, "</ResponseMetadata></"...)
	return append(append(b, operation...), "Response>\n"...)
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
	b = append(append(append(b, '<'), name...), '>')
	b = appendText(b, text)
	return append(append(append(b, "</"...), name...), '>')
}

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
