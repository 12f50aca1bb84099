package awsapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// protocol is a way to write requests and answers.
type protocol uint8

// The protocols of the models.
const (
	protocolREST  protocol = iota // REST-JSON, a path an operation: the three services
	protocolQuery                 // forms in, XML out: STS, IAM, SNS
	protocolJSON                  // awsJson 1.1, all under one path: EventBridge
)

// contract is what a model says of its service.
type contract struct {
	protocol  protocol
	version   string         // protocolQuery: of the API, a date
	namespace string         // protocolQuery: of answers
	target    string         // protocolJSON: what X-Amz-Target has before the operation
	statuses  map[string]int // of the errors of the model, by their name on the wire
}

// route is what the models say of one operation.
type route struct {
	service string // the model, for instance "ivs-realtime"
	signing string // the service name in signatures and policies, for instance "ivs"
	name    string
	method  string
	path    string
	status  int
	errors  []string // the error names it declares, sorted
	result  bool     // protocolQuery: its answer has an element for the output
}

// endpoint is a route with the row that answers it, if there is one.
type endpoint struct {
	route
	*contract
	action string // as policies name the operation, for instance "ivs:GetChannel"
	op     *Operation
}

// format returns how the operation's answers are written.
func (e *endpoint) format() format {
	switch e.protocol {
	case protocolQuery:
		return queryFormat{sns: e.service == "sns"}
	case protocolJSON:
		return targetFormat{}
	case protocolREST:
	}
	return jsonFormat{}
}

// batch reports whether the operation answers for each of its targets alone, so that one bad target must not fail the
// request.
func (e *endpoint) batch() bool { return strings.HasPrefix(e.name, "Batch") }

// tagging reports whether the operation is about the tags of a resource of any type.
func (e *endpoint) tagging() bool { return strings.HasPrefix(e.path, tagsPrefix) }

const tagsPrefix = "/tags/"

// tagKey finds a tag operation: all three services have them under one path.
type tagKey struct{ service, method string }

// router finds the endpoint of a request.
type router struct {
	posts   map[string]*endpoint // by path
	tags    map[tagKey]*endpoint
	types   map[arnType]string // which model owns a resource type
	byID    map[restjson.Operation]*endpoint
	queries map[queryKey]*endpoint
	links   map[string]*endpoint // by action: those that need no signature
	targets map[string]*endpoint // by X-Amz-Target
}

// arnType is the part of an ARN that says what it names.
type arnType struct{ service, kind string }

func newRouter() router {
	rt := router{
		posts: map[string]*endpoint{}, tags: map[tagKey]*endpoint{}, byID: map[restjson.Operation]*endpoint{},
		queries: map[queryKey]*endpoint{}, links: map[string]*endpoint{}, targets: map[string]*endpoint{},
		types: map[arnType]string{
			{"ivs", "stage"}: "ivs-realtime", {"ivs", "composition"}: "ivs-realtime", {"ivs", "public-key"}: "ivs-realtime",
			{"ivs", "encoder-configuration"}: "ivs-realtime", {"ivs", "storage-configuration"}: "ivs-realtime",
			{"ivs", "ingest-configuration"}: "ivs-realtime",
		},
	}
	models := contracts()
	for _, r := range routes() {
		e := &endpoint{route: r, contract: models[r.service], action: r.signing + ":" + r.name}
		rt.byID[restjson.Operation{Service: r.service, Name: r.name}] = e
		switch {
		case e.protocol == protocolQuery:
			rt.queries[queryKey{r.signing, r.name, e.version}] = e
		case e.protocol == protocolJSON:
			rt.targets[e.target+"."+r.name] = e
		case e.tagging():
			rt.tags[tagKey{r.service, r.method}] = e
		default:
			rt.posts[r.path] = e
		}
	}
	return rt
}

// add gives a route its row.
func (rt *router) add(op Operation) error {
	e := rt.byID[op.id]
	switch {
	case e == nil || op.id.Name != op.name:
		return fmt.Errorf("the row %s has the input of %s %s", op.name, op.id.Service, op.id.Name)
	case op.unsigned && e.protocol != protocolQuery:
		return fmt.Errorf("the row %s has no link that could come without a signature", op.name)
	case op.codec == codecNone, (op.codec == codecForm) != (e.protocol == protocolQuery):
		return fmt.Errorf("the row %s does not speak the protocol of %s", op.name, op.id.Service)
	case e.op != nil:
		return fmt.Errorf("two rows for %s %s", op.id.Service, op.id.Name)
	case op.open:
	case op.target == nil, !e.batch() && len(op.target(op.blank())) == 0:
		return fmt.Errorf("the row %s does not say what it touches", op.name)
	}
	e.op = &op
	if op.unsigned {
		rt.links[op.name] = e
	}
	return nil
}

// known reports whether the path is one of the APIs', whatever the method.
func (rt *router) known(r *http.Request) bool {
	path := r.URL.EscapedPath()
	return rt.posts[path] != nil || strings.HasPrefix(path, tagsPrefix)
}

// find returns the endpoint of a request, and the resource in its path if it is a tag operation. It looks at the path
// as it was sent: the slash inside an ARN is escaped there. Paths are case sensitive.
func (rt *router) find(r *http.Request) (e *endpoint, resource string, ok bool) {
	path := r.URL.EscapedPath()
	if e := rt.posts[path]; e != nil {
		return e, "", r.Method == e.method
	}
	rest, isTags := strings.CutPrefix(path, tagsPrefix)
	if !isTags || rest == "" {
		return nil, "", false
	}
	resource, err := url.PathUnescape(rest)
	if err != nil {
		return nil, "", false
	}
	e = rt.tags[tagKey{rt.owner(resource), r.Method}]
	return e, resource, e != nil
}

// owner returns the model that answers tag operations on a resource. What is no ARN goes to "ivs", whose constraint
// check says so.
func (rt *router) owner(resource string) string {
	a, err := arn.Parse(resource)
	if err != nil {
		return "ivs"
	}
	if a.Service == "ivschat" {
		return "ivschat"
	}
	if service := rt.types[arnType{a.Service, a.Type}]; service != "" {
		return service
	}
	return "ivs"
}

// signed reports whether a request carries, or tries to carry, an AWS signature.
func signed(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") || strings.Contains(r.URL.RawQuery, "X-Amz-Signature=") ||
		strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=")
}
