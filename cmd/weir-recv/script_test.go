package main

import (
	"crypto/ed25519"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/keys"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir-recv": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/scripts/weir-recv",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"attempt": attempt},
	})
}

// attempt runs a program whose end is left open: what it prints is looked at.
func attempt(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: attempt program [args...]")
	}
	if err := ts.Exec(args[0], args[1:]...); err != nil {
		ts.Logf("ended with: %v", err)
	}
}

// setup gives each script the public keys of three senders, as $SENDER, $OTHER
// and $THIRD, the first also in sender.pub.
func setup(env *testscript.Env) error {
	for i, name := range []string{"SENDER", "OTHER", "THIRD"} {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = byte(i)
		pub := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		env.Setenv(name, keys.SenderText(pub))
	}
	return os.WriteFile(env.WorkDir+"/sender.pub", []byte(env.Getenv("SENDER")+"\n"), 0o644)
}
