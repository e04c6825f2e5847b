package exit

import (
	"bytes"
	"errors"
	"testing"

	"github.com/spf13/cobra"
)

func testRoot(err error) (*cobra.Command, *bytes.Buffer) {
	var out bytes.Buffer
	root := &cobra.Command{Use: "weir-test"}
	root.SetErr(&out)
	root.SetOut(&out)
	work := &cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return err }}
	work.Flags().String("need", "", "")
	work.MarkFlagRequired("need")
	root.AddCommand(work)
	return root, &out
}

func TestExecute(t *testing.T) {
	plain := errors.New("one\ntwo")
	cases := []struct {
		name string
		args []string
		err  error
		code int
		out  string
	}{
		{"good", []string{"work", "--need", "x"}, nil, Good, ""},
		{"failed", []string{"work", "--need", "x"}, plain, Failed, "weir-test: one\nweir-test: two\n"},
		{"damaged", []string{"work", "--need", "x"}, With(Damaged, plain), Damaged, "weir-test: one\nweir-test: two\n"},
		{"no flag", []string{"work"}, nil, Usage, "weir-test: required flag(s) \"need\" not set\nUsage: weir-test work [flags]\nSee `weir-test work --help`.\n"},
		{"bad flag", []string{"work", "--nope"}, nil, Usage, "weir-test: unknown flag: --nope\nUsage: weir-test work [flags]\nSee `weir-test work --help`.\n"},
		{"argument", []string{"work", "--need", "x", "y"}, nil, Usage, "weir-test: unknown command \"y\" for \"weir-test work\"\nUsage: weir-test work [flags]\nSee `weir-test work --help`.\n"},
		{"no such command", []string{"play"}, nil, Usage, "weir-test: unknown command \"play\" for \"weir-test\"\nSee `weir-test --help`.\n"},
	}
	for _, c := range cases {
		root, out := testRoot(c.err)
		root.SetArgs(c.args)
		if code := Execute(root); code != c.code || out.String() != c.out {
			t.Errorf("%s: code %d, want %d; output %q, want %q", c.name, code, c.code, out, c.out)
		}
	}
}
