package awsapi

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// gzipFrom is the size from which an answer is worth compressing: a smaller one fits into one packet as it is.
const gzipFrom = 1400

// field is a header with its value, in the form that http.Header keeps. The value is shared by all answers.
type field struct {
	name  string
	value []string
}

// commonHeaders returns what is on every answer: the set that the models declare, with the values that AWS documents
// (spec ivs-realtime.md 1.2). Strict-Transport-Security is as documented; browsers ignore it for its colon.
func commonHeaders() []field {
	return []field{
		{"Access-Control-Allow-Origin", []string{"*"}},
		{"Access-Control-Expose-Headers", []string{"Access-Control-Allow-Origin,Access-Control-Expose-Headers,Cache-Control," +
			"Content-Length,Content-Security-Policy,Content-Type,date,Strict-Transport-Security,x-amz-apigw-id," +
			"x-amzn-errormessage,x-amzn-errortype,x-amzn-requestid,x-amzn-trace-id,X-Content-Type-Options,X-Frame-Options"}},
		{"Cache-Control", []string{"no-store, no-cache"}},
		{"Content-Security-Policy", []string{"default-src 'self'; upgrade-insecure-requests;"}},
		{"Strict-Transport-Security", []string{"max-age:47304000; includeSubDomains"}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"X-Frame-Options", []string{"DENY"}},
	}
}

// format is a protocol's share of an answer.
type format interface {
	contentType() string
	name(f failure) wireError // how clients of the protocol know an error
	appendOutput(b []byte, x *exchange) []byte
	appendError(b []byte, x *exchange, f failure) []byte
}

// jsonFormat is REST-JSON, the protocol of the three services.
type jsonFormat struct{}

func (jsonFormat) contentType() string { return "application/json" }

func (jsonFormat) name(f failure) wireError {
	if f.wireError == (wireError{}) {
		return undeclared(f.kind)
	}
	return f.wireError
}

func (jsonFormat) appendOutput(b []byte, x *exchange) []byte {
	return x.output.(jsonOutput).AppendJSON(b)
}

// answer writes the handler's output and returns the status.
func (x *exchange) answer(w http.ResponseWriter) int {
	status := x.endpoint.status
	if status == http.StatusNoContent {
		x.setHeaders(w)
		w.WriteHeader(status)
		return status
	}
	x.space.answer = x.format.appendOutput(x.space.answer[:0], x)
	x.write(w, status)
	return status
}

// refuse writes an error and returns the status.
func (x *exchange) refuse(w http.ResponseWriter, err error) int {
	f := failureOf(err, x.endpoint)
	f.wireError = x.format.name(f)
	x.log(f)
	x.code = f.code
	w.Header().Set("X-Amzn-Errortype", f.code)
	if f.status == tooLarge.status {
		w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
	x.space.answer = x.format.appendError(x.space.answer[:0], x, f)
	x.write(w, f.status)
	return f.status
}

// appendError appends the body of an error: the text under both names that clients look for, and the further members
// that the chat service declares (spec ivs-chat.md 1.1).
func (jsonFormat) appendError(b []byte, x *exchange, f failure) []byte {
	b = append(b, '{')
	b = restjson.AppendString(restjson.AppendKey(b, "exceptionMessage"), f.message)
	b = restjson.AppendString(restjson.AppendKey(b, "message"), f.message)
	if x.endpoint != nil && x.endpoint.service == "ivschat" {
		b = x.appendChatMembers(b, f)
	}
	return append(b, '}')
}

// appendChatMembers appends what only chat errors have. The one resource type of its model stands for logging
// configurations too.
func (x *exchange) appendChatMembers(b []byte, f failure) []byte {
	switch f.code {
	case "ValidationException":
		reason := "OTHER"
		if f.violations != nil {
			reason = "FIELD_VALIDATION_FAILED"
		}
		b = restjson.AppendString(restjson.AppendKey(b, "reason"), reason)
		if f.violations != nil {
			b = append(restjson.AppendKey(b, "fieldList"), '[')
			for i, v := range f.violations {
				if i > 0 {
					b = append(b, ',')
				}
				b = restjson.AppendString(restjson.AppendKey(append(b, '{'), "name"), v.Path)
				b = append(restjson.AppendString(restjson.AppendKey(b, "message"), v.Constraint), '}')
			}
			b = append(b, ']')
		}
	case "ServiceQuotaExceededException", throttling.code:
		b = restjson.AppendInt[int32](restjson.AppendKey(b, "limit"), 0) // fault kinds carry no number
		fallthrough
	case "ResourceNotFoundException", "ConflictException":
		b = restjson.AppendString(restjson.AppendKey(b, "resourceId"), x.resourceID())
		b = restjson.AppendString(restjson.AppendKey(b, "resourceType"), "ROOM")
	}
	return b
}

// resourceID returns the id of the first resource that the request names.
func (x *exchange) resourceID() string {
	if x.input != nil && x.endpoint.op.target != nil {
		for _, t := range x.endpoint.op.target(x.input) {
			if !t.ARN.IsZero() {
				return t.ARN.ID
			}
		}
	}
	return ""
}

// setHeaders sets the headers that are on every answer.
func (x *exchange) setHeaders(w http.ResponseWriter) http.Header {
	h := w.Header()
	for _, f := range x.headers {
		h[f.name] = f.value
	}
	h["X-Amzn-Requestid"] = x.own(0, x.caller.RequestID)
	return h
}

// own returns a header value of this answer alone. The memory is the exchange's, which lives as long as the headers.
func (x *exchange) own(i int, value string) []string {
	x.values[i] = value
	return x.values[i : i+1 : i+1]
}

// write sends the answer, compressed if the client takes that and it is worth it. A client that hung up gets nothing:
// there is nobody to tell.
func (x *exchange) write(w http.ResponseWriter, status int) {
	h, out := x.setHeaders(w), x.space.answer
	h["Content-Type"] = x.own(2, x.format.contentType())
	if len(out) >= gzipFrom {
		h["Vary"] = []string{"Accept-Encoding"}
		if acceptsGzip(x.request.Header) {
			h["Content-Encoding"] = []string{"gzip"}
			out = x.zip(out)
		}
	}
	h["Content-Length"] = x.own(1, strconv.Itoa(len(out)))
	w.WriteHeader(status)
	w.Write(out)
}

// zip compresses an answer. Writes to memory do not fail.
func (x *exchange) zip(answer []byte) []byte {
	z := x.zippers.Get().(*gzip.Writer)
	defer x.zippers.Put(z)
	z.Reset(&x.space.packed)
	_, _ = z.Write(answer)
	_ = z.Close()
	return x.space.packed.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 12.5.3): gzip, or anything, with a weight above zero.
func acceptsGzip(h http.Header) bool {
	accepts, found := false, false
	for _, line := range h["Accept-Encoding"] {
		for item := range strings.SplitSeq(line, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				found, accepts = true, wanted(weight)
			case "*":
				if !found {
					accepts = wanted(weight)
				}
			}
		}
	}
	return accepts
}

// wanted reports whether a weight such as "q=0.5" is above zero; no weight is 1.
func wanted(weight string) bool {
	q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
	if !ok {
		return true
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
	return err == nil && n > 0
}
