// Package arn parses, mints and compares the Amazon Resource Names and identifiers of the three services.
//
// Imports: standard library only.
package arn

// Scope is the tenancy of a resource: services are regional and multi-tenant, so both are part of every key.
type Scope struct {
	Region  string // for instance "us-west-2"; from the SigV4 credential scope
	Account string // 12 digits; from the access key
}

// ARN is "arn:aws:<service>:<region>:<account>:<type>/<id>" taken apart (spec ivs.md 1.1).
type ARN struct {
	Service string // "ivs" or "ivschat"
	Scope
	Type string // for instance "channel", "stream-key"
	ID   string
}
