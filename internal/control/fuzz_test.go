package control

import (
	"encoding/json"
	"net"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzRequest reads what a client may write on the socket.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"source":"etc","paths":["/etc"],"stream":true}` + "\n"))
	f.Add([]byte(`{"source":"etc"} {}` + "\n"))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"source":"etc","unknown":1}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return // more than a socket takes at once
		}
		server, client := socketPair(t)
		defer server.Close()
		if _, err := client.Write(data); err != nil {
			t.Fatal(err)
		}
		client.Close()
		r, stream, err := readRequest(server)
		if stream != nil {
			t.Error("a descriptor came from nowhere")
		}
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Request
		if err := json.Unmarshal(again, &back); err != nil || !reflect.DeepEqual(r, back) && len(r.Paths)+len(r.Exclude) > 0 {
			t.Errorf("%+v came back as %+v: %v", r, back, err)
		}
	})
}

func socketPair(t *testing.T) (server, client *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}
