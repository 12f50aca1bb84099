package awsapi

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"mime"
	"net/http"
	"net/url"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// queryFormat is the query protocol, which STS speaks (spec neighbours.md 1): the request is a form in the body of
// POST /, its member Action names the operation, and the answer is XML.
type queryFormat struct{}

// isQuery reports whether a request is one of the query protocol.
func isQuery(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// queryKey finds an operation of the query protocol by what its request says.
type queryKey struct{ signing, action, version string }

// queryEndpoints returns the operations of the query protocol that are built.
func queryEndpoints() map[queryKey]*endpoint {
	return map[queryKey]*endpoint{
		{"sts", "GetCallerIdentity", stsVersion}: {
			route:  route{service: "sts", signing: "sts", name: "GetCallerIdentity", method: http.MethodPost, path: "/", status: http.StatusOK},
			action: "sts:GetCallerIdentity",
			op: &Operation{
				name:   "GetCallerIdentity",
				decode: func([]byte, string, url.Values) (any, error) { return struct{}{}, nil }, // it has no members
				target: func(any) []Target { return nil },                                        // everybody may ask who they are
				handle: func(_ context.Context, c Caller, _ any) (any, error) { return callerIdentity{account: c.Account}, nil },
			},
		},
	}
}

// dispatch finds the operation of a query request, which its body names. Other protocols name it in the path.
func (x *exchange) dispatch() error {
	if x.endpoint != nil {
		return nil
	}
	form, err := url.ParseQuery(string(x.body))
	if err != nil {
		return &frontError{serialization, "The form could not be read"}
	}
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		return &frontError{wireError{"MissingAction", http.StatusBadRequest}, "The request must contain the parameter Action"}
	}
	x.endpoint = x.queries[queryKey{x.service, action, version}]
	if x.endpoint == nil {
		return &frontError{
			wireError{"InvalidAction", http.StatusBadRequest},
			fmt.Sprintf("Could not find operation %.64s for version %.16s", action, version),
		}
	}
	x.caller.Action = x.endpoint.action
	return nil
}

func (queryFormat) contentType() string { return "text/xml" }

// name translates the names of the JSON services (spec errata.md A1, "request" and "query services").
func (queryFormat) name(f failure) wireError {
	if s, ok := signatureReason(f.cause); ok {
		switch s {
		case sigv4.Missing:
			return wireError{"MissingAuthenticationToken", http.StatusForbidden}
		case sigv4.Incomplete:
			return wireError{"IncompleteSignature", http.StatusBadRequest}
		case sigv4.Unrecognized:
			return wireError{"InvalidClientTokenId", http.StatusForbidden}
		case sigv4.Expired:
			return wireError{"RequestExpired", http.StatusBadRequest}
		case sigv4.Invalid:
			return wireError{"SignatureDoesNotMatch", http.StatusForbidden}
		}
	}
	switch {
	case f.wireError == serialization || f.kind == fault.Invalid:
		return wireError{"ValidationError", http.StatusBadRequest}
	case f.wireError == tooLarge:
		return wireError{"RequestEntityTooLarge", http.StatusRequestEntityTooLarge}
	case f.kind == fault.Throttled:
		return wireError{"Throttling", http.StatusBadRequest}
	case f.status >= http.StatusInternalServerError:
		return wireError{"InternalFailure", http.StatusInternalServerError}
	}
	return f.wireError
}

func (queryFormat) appendOutput(b []byte, x *exchange) []byte {
	return x.output.(interface {
		appendXML(b []byte, requestID string) []byte
	}).appendXML(b, x.caller.RequestID)
}

func (queryFormat) appendError(b []byte, x *exchange, f failure) []byte {
	from := "Sender"
	if f.status >= http.StatusInternalServerError {
		from = "Receiver"
	}
	return fmt.Appendf(b, "<ErrorResponse xmlns=%q><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>\n",
		stsNamespace, from, escapeXML(f.code), escapeXML(f.message), x.caller.RequestID)
}

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/" + stsVersion + "/"
)

// callerIdentity is who asks: the owner of the account, the only identity that there is. Its user id is the account's
// (spec errata.md A2).
type callerIdentity struct{ account string }

func (c callerIdentity) appendXML(b []byte, requestID string) []byte {
	return fmt.Appendf(b, "<GetCallerIdentityResponse xmlns=%q><GetCallerIdentityResult><Arn>arn:aws:iam::%s:root</Arn><UserId>%s</UserId>"+
		"<Account>%s</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n",
		stsNamespace, c.account, c.account, c.account, requestID)
}

func escapeXML(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // writes to memory do not fail
	return b.String()
}
