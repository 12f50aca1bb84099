// Package ivschat holds the wire types of the chat service: rooms, messages and chat tokens.
//
// The types, their reading and writing and their constraint checks are generated from api/model/ivschat.json.
// Its operations are not built yet; awsapi answers them with their name.
//
// Imports: awsapi/restjson.
package ivschat
