package app_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/smithy-go"
	"golang.org/x/sys/unix"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// ownDisk is the environment variable that tells a child that it may mount what it likes on the directory in it.
const ownDisk = "RIVUS_TEST_DISK"

// onOwnDisk runs a test in a child process with a file system of its own, of so many bytes in memory. It returns false in
// the parent, which has nothing left to do, and mounts the file system in the child.
func onOwnDisk(t *testing.T, size int) (dir string, child bool) {
	t.Helper()
	if dir := os.Getenv(ownDisk); dir != "" {
		if err := unix.Mount("rivus-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "data"), true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("the system allows no namespaces: %v", err)
	}
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		t.Errorf("on a disk of its own: %v", err)
	}
	return "", false
}

// fill leaves so many bytes free beside a data directory.
func fill(t *testing.T, dir string, left uint64) {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(dir), &s); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(dir), "filler"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if free := s.Bavail * uint64(s.Bsize); free > left {
		st, err := f.Stat()
		if err == nil {
			err = unix.Fallocate(int(f.Fd()), 0, st.Size(), int64(free-left))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: a disk that Rivus filled, and one that others filled to the last byte. Reads and deletions work, before a
// restart and after; what does not work says so, without figures, and works again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, child := onOwnDisk(t, 48<<20)
	if !child {
		return
	}
	s := apptest.Start(t, func(c *config.Config) { c.DataDir = dir })
	var arns []string
	for range 12 {
		arns = append(arns, aws.ToString(s.CreateChannel(t).Arn))
	}
	check := func(what string) {
		t.Helper()
		client := s.IVS(t)
		_, err := client.CreateChannel(t.Context(), &ivs.CreateChannelInput{})
		if api := smithy.APIError(nil); !errors.As(err, &api) || !strings.Contains(api.ErrorMessage(), "disk of the server is full") || regexp.MustCompile(`\d`).MatchString(api.ErrorMessage()) {
			t.Errorf("%s: create: %v", what, err)
		}
		list, err := client.ListChannels(t.Context(), &ivs.ListChannelsInput{})
		if err != nil || len(list.Channels) != len(arns) {
			t.Fatalf("%s: list: %v", what, err)
		}
		if _, err := client.GetChannel(t.Context(), &ivs.GetChannelInput{Arn: &arns[0]}); err != nil {
			t.Errorf("%s: get: %v", what, err)
		}
		if _, err := client.DeleteChannel(t.Context(), &ivs.DeleteChannelInput{Arn: &arns[0]}); err != nil {
			t.Errorf("%s: delete: %v", what, err)
		}
		arns = arns[1:]
	}
	fill(t, dir, 10<<20)
	check("filled by us")
	s.Stop()
	s = s.Restart(t)
	check("filled by us, started again")
	fill(t, dir, 0)
	check("filled to the last byte")
	fill(t, dir, 0) // what was set aside, too
	s.Stop()
	s = s.Restart(t)
	if list, err := s.IVS(t).ListChannels(t.Context(), &ivs.ListChannelsInput{}); err != nil || len(list.Channels) != len(arns) {
		t.Errorf("full to the last byte, started again: %v", err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(dir), "filler")); err != nil {
		t.Fatal(err)
	}
	s.CreateChannel(t)
	fill(t, dir, 0)
	s.Stop()
	arns = append(arns, "")
	s = s.Restart(t)
	check("full to the last byte with space set aside, started again")
}

// TestReadOnlyDisk: the start ends at once and says why.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir, child := onOwnDisk(t, 48<<20)
	if !child {
		return
	}
	s := apptest.Start(t, func(c *config.Config) { c.DataDir = dir })
	s.Stop()
	if err := unix.Mount("", filepath.Dir(dir), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := apptest.TryStart(t, s.Config) // which waits for less than the engine would
	if err == nil || !strings.Contains(err.Error(), "cannot be written: read-only file system") {
		t.Errorf("got %v", err)
	}
}
