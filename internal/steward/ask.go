package steward

import (
	"context"
	"encoding/json"

	"weir/internal/vault"
)

// Ask has whoever holds the vault in dir do an action about a restore point, "" for
// none; where nobody does, this process does it, as the vault's owner, so that no
// file of it gets another one. Detail says how, nil if there is nothing to say, and
// result takes the answer.
func Ask(ctx context.Context, dir string, opt vault.Options, action, ref string, detail, result any) error {
	r := vault.Request{Action: action, Snapshot: ref}
	if detail != nil {
		var err error
		if r.Detail, err = json.Marshal(detail); err != nil {
			return err
		}
	}
	if err := BecomeOwner(dir); err != nil {
		return err
	}
	return vault.Ask(ctx, dir, opt, r, result)
}
