package resource

import "time"

// States of a rule.
const (
	RuleEnabled  = "ENABLED"
	RuleDisabled = "DISABLED"
)

// Rule is the aggregate of a rule of the default event bus: what it is about, and its targets, which change with it in one
// record. Its key is its name within account and region.
type Rule struct {
	Name        string            `json:"name"`
	Pattern     string            `json:"pattern,omitempty"` // JSON, as it was given
	State       string            `json:"state"`
	Description string            `json:"description,omitempty"`
	RoleARN     string            `json:"roleArn,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Targets     []RuleTarget      `json:"targets,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// RuleTarget is where a rule sends events, and what it sends of them. At most one of Input, InputPath and Transformer is set.
type RuleTarget struct {
	ID             string            `json:"id"`
	ARN            string            `json:"arn"`
	RoleARN        string            `json:"roleArn,omitempty"`
	Input          string            `json:"input,omitempty"`
	InputPath      string            `json:"inputPath,omitempty"`
	Transformer    *InputTransformer `json:"transformer,omitempty"`
	HTTP           *HTTPParameters   `json:"http,omitempty"`
	MessageGroupID string            `json:"messageGroupId,omitempty"` // of an SQS queue that keeps the order
	DeadLetterARN  string            `json:"deadLetterArn,omitempty"`  // of an SQS queue

	// MaxAge, in seconds, and MaxRetries say when to give up; nil is the default.
	MaxAge     *int `json:"maxAge,omitempty"`
	MaxRetries *int `json:"maxRetries,omitempty"`
}

// InputTransformer is a template and the paths of the parts of the event that it names.
type InputTransformer struct {
	Paths    map[string]string `json:"paths,omitempty"`
	Template string            `json:"template"`
}

// HTTPParameters are what a rule adds to the requests of an API destination.
type HTTPParameters struct {
	PathValues []string          `json:"pathValues,omitempty"` // for each "*" of the endpoint
	Header     map[string]string `json:"header,omitempty"`
	Query      map[string]string `json:"query,omitempty"`
}

// States of connections and API destinations.
const (
	ConnectionAuthorized   = "AUTHORIZED"
	ConnectionAuthorizing  = "AUTHORIZING"
	ConnectionDeauthorized = "DEAUTHORIZED"
	DestinationActive      = "ACTIVE"
	DestinationInactive    = "INACTIVE"
)

// Ways in which a connection proves who sends.
const (
	AuthBasic  = "BASIC"
	AuthAPIKey = "API_KEY"
	AuthOAuth  = "OAUTH_CLIENT_CREDENTIALS"
)

// Connection is what API destinations are called with. Its key is its name within account and region. Everything secret is
// in Sealed, encrypted under a key of the store; a part that is marked so in the lists of parameters is there only.
type Connection struct {
	Name         string     `json:"name"`
	UUID         string     `json:"uuid"` // the last part of its ARN
	SecretUUID   string     `json:"secretUuid"`
	Description  string     `json:"description,omitempty"`
	State        string     `json:"state"`
	StateReason  string     `json:"stateReason,omitempty"`
	AuthType     string     `json:"authType"`
	Username     string     `json:"username,omitempty"`   // BASIC
	APIKeyName   string     `json:"apiKeyName,omitempty"` // API_KEY
	OAuth        *OAuth     `json:"oauth,omitempty"`      // OAUTH_CLIENT_CREDENTIALS
	Invocation   Parameters `json:"invocation"`           // of every request
	Sealed       []byte     `json:"sealed,omitempty"`
	CreatedAt    time.Time  `json:"createdAt"`
	ModifiedAt   time.Time  `json:"modifiedAt"`
	AuthorizedAt time.Time  `json:"authorizedAt,omitzero"`
}

// OAuth says where and how a token is fetched.
type OAuth struct {
	Endpoint   string     `json:"endpoint"`
	Method     string     `json:"method"`
	ClientID   string     `json:"clientId"`
	Parameters Parameters `json:"parameters"`
}

// Parameters are members that are added to a request.
type Parameters struct {
	Header []Parameter `json:"header,omitempty"`
	Query  []Parameter `json:"query,omitempty"`
	Body   []Parameter `json:"body,omitempty"`
}

// Parameter is one of them. The value of a secret one is not here.
type Parameter struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

// APIDestination is an HTTP endpoint that rules can have as target. Its key is its name within account and region.
type APIDestination struct {
	Name        string    `json:"name"`
	UUID        string    `json:"uuid"`       // the last part of its ARN
	Connection  string    `json:"connection"` // the name of its connection
	Endpoint    string    `json:"endpoint"`   // a URL with "*" for values of the rule
	Method      string    `json:"method"`
	Rate        int       `json:"rate"` // requests a second
	Description string    `json:"description,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	ModifiedAt  time.Time `json:"modifiedAt"`
}

// Cursor is how far somebody has come in a log.
type Cursor struct {
	Sequence uint64 `json:"sequence"`
}
