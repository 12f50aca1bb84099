package natsd

import "testing"

func TestRoom(t *testing.T) {
	t.Parallel()
	c, err := start(t, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	free, err := c.dir.free()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Room(); (err != nil) != (free < minFree) {
		t.Errorf("%d bytes free: %v", free, err)
	}
}
