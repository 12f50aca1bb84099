// Package ivsrealtime answers the operations of the real-time service that control stages: stages, participant tokens,
// public keys, storage configurations, and what is known of sessions and their participants.
//
// A stage is one record with its tags and the addresses that were given out for it. Who is on it is not this package's
// business: sessions, participants and their events are read from the records that the media side writes (the list is in
// store, at StageSessionLog), and Stages is asked to disconnect somebody or everybody.
//
// Three rules hold between the two sides:
//
//   - DisconnectParticipant burns the participant first, a fact that every verification of a token looks at, and asks for
//     the connections to be dropped second. So a join that crosses it is either refused or dropped.
//   - DeleteStage deletes the record first, after which no token of the stage is good, and closes the stage second.
//   - The addresses in an answer are stored before it is given: a self-signed token repeats them.
//
// Changes that depend on other records (a quota, a key that must be there once, a storage configuration that a stage
// refers to) are made one at a time on a node.
//
// The wire types, their reading and writing and their constraint checks are generated from api/model/ivs-realtime.json.
// Compositions, encoder and ingest configurations and replication are not built; awsapi answers them with their name.
//
// Imports: arn, awsapi, awsapi/restjson, fault, records, resource, store, tagging, token.
package ivsrealtime
