package awsapi

import (
	"fmt"
	"net/http"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// targetFormat is awsJson 1.1 (spec neighbours.md 1): POST / with the operation in X-Amz-Target, JSON both ways. Every
// error that is the client's has the status 400 (spec errata.md A1).
type targetFormat struct{}

const targetHeader = "X-Amz-Target"

// isTargeted reports whether a request is one of awsJson.
func isTargeted(r *http.Request) bool {
	return r.URL.Path == "/" && r.Method == http.MethodPost && len(r.Header[targetHeader]) > 0
}

// routeTarget finds the operation that the header names.
func (x *exchange) routeTarget() error {
	x.format = targetFormat{}
	name := x.request.Header.Get(targetHeader)
	if x.endpoint = x.targets[name]; x.endpoint != nil {
		return nil
	}
	if !signed(x.request) {
		return &sigv4.Error{Reason: sigv4.Missing, Message: "Missing Authentication Token"}
	}
	return &frontError{unknownOperation, fmt.Sprintf("There is no operation %.128s", name)}
}

func (targetFormat) contentType() string { return "application/x-amz-json-1.1" }

func (targetFormat) name(f failure) wireError {
	w := f.wireError
	if w == (wireError{}) {
		w = undeclared(f.kind)
		switch f.kind { //nolint:exhaustive // the others have the names of the three services
		case fault.NotFound:
			w.code = "ResourceNotFoundException"
		case fault.Internal, fault.Fenced, fault.Unavailable, fault.StreamUnavailable:
			w.code = "InternalException"
		}
	}
	if w.status < http.StatusInternalServerError {
		w.status = http.StatusBadRequest
	}
	return w
}

func (targetFormat) appendOutput(b []byte, x *exchange) []byte {
	return x.output.(jsonOutput).AppendJSON(b)
}

func (targetFormat) appendError(b []byte, _ *exchange, f failure) []byte {
	b = restjson.AppendString(restjson.AppendKey(append(b, '{'), "__type"), f.code)
	b = restjson.AppendString(restjson.AppendKey(b, "message"), f.message)
	return append(b, '}')
}
