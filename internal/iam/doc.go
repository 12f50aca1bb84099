// Package iam has the wire types of IAM, generated from api/model/iam.json and api/additions.json: users, groups, roles,
// access keys and policies.
//
// Imports: awsapi/queryxml, awsapi/restjson.
package iam
