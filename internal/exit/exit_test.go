package exit

import (
	"errors"
	"fmt"
	"testing"
)

func TestCode(t *testing.T) {
	plain := errors.New("no such vault")
	cases := []struct {
		name string
		err  error
		want int
	}{
		{"nil", nil, Good},
		{"plain", plain, Failed},
		{"usage", With(Usage, plain), Usage},
		{"wrapped", fmt.Errorf("verifying: %w", With(Damaged, plain)), Damaged},
		{"outermost wins", With(Usage, With(Damaged, plain)), Usage},
		{"joined", errors.Join(plain, With(Damaged, plain)), Damaged},
		{"nil wrapped", With(Damaged, nil), Good},
	}
	for _, c := range cases {
		if got := Code(c.err); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("cause")
	err := With(Damaged, cause)
	if !errors.Is(err, cause) || err.Error() != "cause" {
		t.Errorf("With hides its cause: %v", err)
	}
}
