// Package network puts the clients of a real server behind bad networks: links that become narrow, lose, delay and
// reorder packets, connections that stop and peers that die.
//
// What a time says here is the time of the media: numbers of audio packets, 50 a second, and timestamps of frames.
package network
