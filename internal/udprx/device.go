package udprx

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrReplaced is returned by Receive when the interface was taken away and has come
// back. The kernel knows it by a number, which is another now (netdevice(7)): a new
// socket hears it, this one does not.
var ErrReplaced = errors.New("the interface was taken away and has come back as another one, which this socket does not hear: start again")

// device is the interface that a socket is bound to; the zero device is none.
type device struct {
	name   *unix.Ifreq
	number uint32
}

func (d *device) open(fd int, name string) (err error) {
	if d.name, err = unix.NewIfreq(name); err == nil {
		d.number, err = d.ask(fd)
	}
	if err != nil {
		return fmt.Errorf("looking at the interface %s: %w", name, err)
	}
	return nil
}

func (d *device) ask(fd int) (uint32, error) {
	r := *d.name // the call overwrites it
	err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, &r)
	return r.Uint32(), err
}

// replaced returns ErrReplaced when another interface has the name now. While none
// has, there is nothing better to listen to.
func (d *device) replaced(fd int) error {
	if d.name == nil {
		return nil
	}
	if number, err := d.ask(fd); err != nil || number == d.number {
		return nil
	}
	return fmt.Errorf("%s: %w", d.name.Name(), ErrReplaced)
}
