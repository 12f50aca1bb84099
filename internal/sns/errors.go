package sns

import (
	"github.com/rivus-live/rivus/internal/fault"
)

// invalid is an error of the service for a request that cannot be met.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "Invalid parameter: "+format, args...)
}

// noTopic and noSubscription give a fault.NotFound the service's words. Other errors, and nil, stay as they are.
func noTopic(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Topic does not exist")
	}
	return err
}

func noSubscription(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Subscription does not exist")
	}
	return err
}
