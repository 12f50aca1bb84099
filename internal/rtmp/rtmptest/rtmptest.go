// Package rtmptest is a light RTMP publisher for tests and load generators.
//
// It sends prebuilt message bodies with the timestamps it is told, however odd, at the cost of one write each.
//
// Imports: media/amf0, rtmp/chunk.
package rtmptest
