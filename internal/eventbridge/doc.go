// Package eventbridge has the wire types of EventBridge, generated from api/model/events.json: rules and their targets,
// connections and API destinations, and events that callers put.
//
// Imports: awsapi/restjson.
package eventbridge
