// Package faults kills servers of the state engine and Rivus processes while encoders stream and the API is written to,
// and holds what is promised then: no process ends that was not killed, no acknowledged record is lost, no event
// is lost or told twice, and what a dead process held is ended.
//
// The processes are real: three NATS servers in processes of the test binary, and rivus as it is built. Everything is on
// loopback, and nothing outlives the test: a server of the engine ends with its standard input, a rivus process by
// SIGKILL. RIVUS_FAULTS=1 runs all rounds instead of a short one; RIVUS_SEED repeats one run.
package faults
