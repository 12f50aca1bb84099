//go:build !race

package bwe

// seedsOfAll is how often the simulations of every combination run.
const seedsOfAll = 20
