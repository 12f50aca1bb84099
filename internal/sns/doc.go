// Package sns has the wire types of SNS, generated from api/model/sns.json: topics, subscriptions and what is published.
//
// Imports: awsapi/queryxml, awsapi/restjson.
package sns
