package textfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMetrics(t *testing.T) {
	var b bytes.Buffer
	m := Metrics{&b}
	m.Single("weir_x_total", "Things.", 3e9)
	m.Head("weir_y", "More.")
	m.Value("weir_y", 0.5, Label{"a", "q\"\\\n\xff"}, Label{"b", ""})
	want := "# HELP weir_x_total Things.\n# TYPE weir_x_total counter\nweir_x_total 3000000000\n" +
		"# HELP weir_y More.\n# TYPE weir_y gauge\nweir_y{a=\"q\\\"\\\\\\n\uFFFD\",b=\"\"} 0.5\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	// What a kill left does not stand in the way.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".f.new"), []byte("half"), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if err := Replace(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); len(left) != 1 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
	if Replace(filepath.Join(path, "below"), nil) == nil {
		t.Error("written below a file")
	}
}
