//go:build !unix

package app

// maxDescriptors returns 0: the system has no such bound.
func maxDescriptors() int { return 0 }
