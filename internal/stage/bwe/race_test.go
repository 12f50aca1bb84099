//go:build race

package bwe

// seedsOfAll is how often the simulations of every combination run. They have one goroutine each: the race detector finds
// nothing in them and makes them ten times as slow.
const seedsOfAll = 5
