// Package rawpath carries paths through JSON as they are: on Linux they are bytes,
// and a JSON string holds UTF-8 only.
package rawpath

import (
	"encoding/json"
	"unicode/utf8"
)

// List is a list of paths. In JSON it is a list of strings; a path that is not UTF-8 is
// an object {"base64": "..."} in it.
type List []string

type raw struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON is the inverse of UnmarshalJSON.
func (l List) MarshalJSON() ([]byte, error) {
	all := make([]any, len(l))
	for i, p := range l {
		if all[i] = p; !utf8.ValidString(p) {
			all[i] = raw{[]byte(p)}
		}
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads a list of strings and objects.
func (l *List) UnmarshalJSON(data []byte) error {
	var all []json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	list := make(List, len(all))
	for i, one := range all {
		if err := json.Unmarshal(one, &list[i]); err == nil {
			continue
		}
		var r raw
		if err := json.Unmarshal(one, &r); err != nil {
			return err
		}
		list[i] = string(r.Base64)
	}
	*l = list
	return nil
}
