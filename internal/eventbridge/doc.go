// Package eventbridge has the operations of EventBridge: rules and their targets, connections and API destinations, and events
// that callers put. Its wire types are generated from api/model/events.json.
//
// It changes records; what they come to is the business of package delivery. A rule and its targets are one record, so a
// request changes all of them or none. There is one bus, the default one.
//
// Imports: arn, awsapi, awsapi/restjson, delivery, egress, eventinput, eventpattern, fault, records, resource, store, tagging.
package eventbridge
