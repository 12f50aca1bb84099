//go:build race

package hls

const raceEnabled = true
