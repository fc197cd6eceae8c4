// SPDX-License-Identifier: MIT

package relay

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Upgraded is a part of what `hdctl upgrade` says.
type Upgraded struct {
	PID           int `json:"pid"`
	Moved         int `json:"moved"`
	ClosedClients int `json:"closed_clients"`
	SilentUs      int `json:"silent_us"` // the workers stood so long
}

func (r *Relay) control() string { return filepath.Join(r.Dir, "control.sock") }

// Upgrade has another process of the same binary take over, and checks that the
// old one ends with exit status 0. Options.Sections must not name a control
// socket.
func (r *Relay) Upgrade(t testing.TB) Upgraded {
	t.Helper()
	adoptOrphans(t)
	var said Upgraded
	out := Hdctl(t, r.control(), "--json", "upgrade")
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	select {
	case <-r.done:
	case <-time.After(Patience):
		t.Fatal("the old process does not end")
	}
	if state := r.cmd.ProcessState; !state.Success() {
		t.Errorf("the old process ended with %v", state)
	}
	process, err := os.FindProcess(said.PID)
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = &exec.Cmd{Path: r.cmd.Path, Args: r.cmd.Args, Process: process}
	r.awaitExit()
	return said
}

// adoptOrphans makes a process whose parent ends a child of this one: else
// nobody here could wait for the relay that has taken over.
func adoptOrphans(t testing.TB) {
	t.Helper()
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL,
		prSetChildSubreaper, 1, 0); errno != 0 {
		t.Skipf("lacking PR_SET_CHILD_SUBREAPER: %v", errno)
	}
}
