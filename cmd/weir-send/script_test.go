package main

import (
	"crypto/hpke"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/keys"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir-send": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/scripts/weir-send",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
	})
}

// setup gives each script a receiver's public key, as $RECEIVER and in
// receiver.pub.
func setup(env *testscript.Env) error {
	receiver, err := hpke.MLKEM768X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		return err
	}
	text := keys.ReceiverText(receiver.PublicKey())
	env.Setenv("RECEIVER", text)
	return os.WriteFile(env.WorkDir+"/receiver.pub", []byte(text+"\n"), 0o644)
}
