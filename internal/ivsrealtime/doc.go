// Package ivsrealtime holds the wire types of the real-time service: stages, participants and compositions.
//
// The types, their reading and writing and their constraint checks are generated from api/model/ivs-realtime.json.
// Its operations are not built yet; awsapi answers them with their name.
//
// Imports: awsapi/restjson.
package ivsrealtime
