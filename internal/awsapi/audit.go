package awsapi

import (
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
)

// Call is a request that has been answered, as an audit wants to know it. Nothing of what it asked for or was answered is in
// it but the names of resources: bodies hold secrets.
type Call struct {
	RequestID string
	Proven    bool // the caller has proved who it is
	Principal Principal
	Scope     arn.Scope // that it has signed for
	Request   Request
	Service   string   // as policies name it, for instance "ivs"
	Operation string   // "" for one that there is not
	Resources []string // as policies name them: ARNs, or patterns of what was yet to be made
	Status    int
	Code      string // of the error, "" for none
	Kind      CallKind
}

// CallKind is what a call is to an audit.
type CallKind uint8

// The kinds of calls. What moves data is counted in thousands a second where what manages resources is counted in tens.
const (
	CallChanges CallKind = iota // it changes, makes or deletes a resource, or begins a session
	CallReads
	CallMovesData
)

// kindOf returns the kind of an operation. Operations that read are told by their names, as all services choose them.
func kindOf(operation string) CallKind {
	switch operation {
	case "PutEvents", "Publish", "PutMetadata", "CreateParticipantToken":
		return CallMovesData
	}
	for _, prefix := range [...]string{"Get", "List", "Describe", "BatchGet", "Simulate", "Test"} {
		if strings.HasPrefix(operation, prefix) {
			return CallReads
		}
	}
	return CallChanges
}

// audit tells of the call, unless it read what it might.
func (x *exchange) audit(status int) {
	if x.opts.Audit == nil {
		return
	}
	c := Call{RequestID: x.caller.RequestID, Proven: x.proven, Status: status, Code: x.code, Service: x.service}
	if x.endpoint != nil {
		c.Service, c.Operation, c.Kind = x.endpoint.signing, x.endpoint.name, kindOf(x.endpoint.name)
	}
	if c.Code == "" && c.Kind == CallReads {
		return
	}
	c.Principal, c.Scope, c.Request = x.caller.Principal, x.caller.Scope, x.caller.Request
	if !c.Proven {
		c.Request = x.describe()
	}
	for i := range x.touched {
		c.Resources = append(c.Resources, Access{Caller: &x.caller, Target: &x.touched[i], service: c.Service}.Resource())
	}
	x.opts.Audit(c)
}
