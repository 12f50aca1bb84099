package eventbridge

import (
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// authRequest is what a request says of how a connection proves who sends. What is nil is not said.
type authRequest struct {
	username, password                *string
	keyName, keyValue                 *string
	endpoint, method, id, secret      *string
	oauthParameters, invocationParams *ConnectionHttpParameters
}

func authOf(p *CreateConnectionAuthRequestParameters) authRequest {
	out := authRequest{invocationParams: p.InvocationHttpParameters}
	if b := p.BasicAuthParameters; b != nil {
		out.username, out.password = &b.Username, &b.Password
	}
	if k := p.ApiKeyAuthParameters; k != nil {
		out.keyName, out.keyValue = &k.ApiKeyName, &k.ApiKeyValue
	}
	if o := p.OAuthParameters; o != nil {
		out.endpoint, out.method, out.oauthParameters = &o.AuthorizationEndpoint, &o.HttpMethod, o.OAuthHttpParameters
		out.id, out.secret = &o.ClientParameters.ClientID, &o.ClientParameters.ClientSecret
	}
	return out
}

func authOfUpdate(p *UpdateConnectionAuthRequestParameters) authRequest {
	if p == nil {
		return authRequest{}
	}
	out := authRequest{invocationParams: p.InvocationHttpParameters}
	if b := p.BasicAuthParameters; b != nil {
		out.username, out.password = b.Username, b.Password
	}
	if k := p.ApiKeyAuthParameters; k != nil {
		out.keyName, out.keyValue = k.ApiKeyName, k.ApiKeyValue
	}
	if o := p.OAuthParameters; o != nil {
		out.endpoint, out.method, out.oauthParameters = o.AuthorizationEndpoint, o.HttpMethod, o.OAuthHttpParameters
		if cp := o.ClientParameters; cp != nil {
			out.id, out.secret = cp.ClientID, cp.ClientSecret
		}
	}
	return out
}

// apply changes a connection and its secrets. What its kind of authorization needs must be there afterwards.
func (a *authRequest) apply(r *resource.Connection, s *delivery.Secrets) error {
	if a.invocationParams != nil {
		r.Invocation, s.Invocation = split(a.invocationParams)
	}
	complete := false
	switch r.AuthType {
	case resource.AuthBasic:
		set(&r.Username, a.username)
		set(&s.Password, a.password)
		complete = r.Username != ""
	case resource.AuthAPIKey:
		set(&r.APIKeyName, a.keyName)
		set(&s.APIKey, a.keyValue)
		complete = r.APIKeyName != ""
	case resource.AuthOAuth:
		if r.OAuth == nil {
			r.OAuth = &resource.OAuth{}
		}
		set(&r.OAuth.Endpoint, a.endpoint)
		set(&r.OAuth.Method, a.method)
		set(&r.OAuth.ClientID, a.id)
		set(&s.ClientSecret, a.secret)
		if a.oauthParameters != nil {
			r.OAuth.Parameters, s.OAuth = split(a.oauthParameters)
		}
		complete = r.OAuth.Endpoint != "" && r.OAuth.ClientID != ""
	}
	if !complete {
		return fault.New(fault.Invalid, "AuthParameters do not have what the AuthorizationType %s needs.", r.AuthType)
	}
	return nil
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

// split takes the values of secret parameters out of parameters.
func split(p *ConnectionHttpParameters) (resource.Parameters, delivery.Members) {
	out, secret := resource.Parameters{}, delivery.Members{}
	one := func(to *[]resource.Parameter, hidden *map[string]string, key, value *string, isSecret *bool) {
		m := resource.Parameter{Key: restjson.Value(key), Value: restjson.Value(value), Secret: restjson.Value(isSecret)}
		if m.Secret {
			if *hidden == nil {
				*hidden = map[string]string{}
			}
			(*hidden)[m.Key], m.Value = m.Value, ""
		}
		*to = append(*to, m)
	}
	for i := range p.HeaderParameters {
		m := &p.HeaderParameters[i]
		one(&out.Header, &secret.Header, m.Key, m.Value, m.IsValueSecret)
	}
	for i := range p.QueryStringParameters {
		m := &p.QueryStringParameters[i]
		one(&out.Query, &secret.Query, m.Key, m.Value, m.IsValueSecret)
	}
	for i := range p.BodyParameters {
		m := &p.BodyParameters[i]
		one(&out.Body, &secret.Body, m.Key, m.Value, m.IsValueSecret)
	}
	return out, secret
}

// wireAuth shows how a connection proves who sends, without what is secret.
func wireAuth(r *resource.Connection) *ConnectionAuthResponseParameters {
	out := &ConnectionAuthResponseParameters{InvocationHttpParameters: wireParameters(r.Invocation)}
	switch r.AuthType {
	case resource.AuthBasic:
		out.BasicAuthParameters = &ConnectionBasicAuthResponseParameters{Username: new(r.Username)}
	case resource.AuthAPIKey:
		out.ApiKeyAuthParameters = &ConnectionApiKeyAuthResponseParameters{ApiKeyName: new(r.APIKeyName)}
	case resource.AuthOAuth:
		out.OAuthParameters = &ConnectionOAuthResponseParameters{
			AuthorizationEndpoint: new(r.OAuth.Endpoint), HttpMethod: new(r.OAuth.Method),
			ClientParameters:    &ConnectionOAuthClientResponseParameters{ClientID: new(r.OAuth.ClientID)},
			OAuthHttpParameters: wireParameters(r.OAuth.Parameters),
		}
	}
	return out
}

func wireParameters(p resource.Parameters) *ConnectionHttpParameters {
	if len(p.Header)+len(p.Query)+len(p.Body) == 0 {
		return nil
	}
	out := &ConnectionHttpParameters{}
	for _, m := range p.Header {
		out.HeaderParameters = append(out.HeaderParameters, ConnectionHeaderParameter{Key: new(m.Key), Value: shown(m), IsValueSecret: new(m.Secret)})
	}
	for _, m := range p.Query {
		out.QueryStringParameters = append(out.QueryStringParameters, ConnectionQueryStringParameter{Key: new(m.Key), Value: shown(m), IsValueSecret: new(m.Secret)})
	}
	for _, m := range p.Body {
		out.BodyParameters = append(out.BodyParameters, ConnectionBodyParameter{Key: new(m.Key), Value: shown(m), IsValueSecret: new(m.Secret)})
	}
	return out
}

func shown(p resource.Parameter) *string {
	if p.Secret {
		return nil
	}
	return new(p.Value)
}
