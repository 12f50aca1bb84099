//go:build race

package playhttp

const raceEnabled = true
