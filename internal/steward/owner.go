package steward

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// BecomeOwner gives root's powers up for those of the vault's owner. Others keep
// theirs: the system tells whether they suffice.
func BecomeOwner(dir string) error {
	st, err := os.Stat(dir + "/.weir")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening the vault: %w; name the right directory with --vault DIR", err)
	}
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	// The user last: only root may change the groups.
	if err = syscall.Setgroups(nil); err == nil {
		err = syscall.Setgid(int(owner.Gid))
	}
	if err == nil {
		err = syscall.Setuid(int(owner.Uid))
	}
	if err != nil {
		return fmt.Errorf("becoming the owner of the vault: %w; run the command as the user that owns it", err)
	}
	return nil
}
