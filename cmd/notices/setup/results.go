package setup

import (
	"context"
	"errors"

	"notices/config"
)

// heldResults are the results of tests until the configuration is written: the spool, where
// status finds them, may belong to another user than the one who sets it up.
type heldResults map[string][]byte

func (r *heldResults) Load(_ context.Context, key string) ([]byte, error) { return (*r)[key], nil }

func (r *heldResults) Update(_ context.Context, key string, _ bool, change func([]byte) ([]byte, error)) error {
	value, err := change((*r)[key])
	if err != nil {
		return err
	}
	if *r == nil {
		*r = heldResults{}
	}
	(*r)[key] = value
	return nil
}

// keepResults writes them into the spool. Root becomes its owner for that, so this comes
// last.
func (s *dialogue) keepResults() error {
	if len(s.results) == 0 {
		return nil
	}
	cfg, err := config.Load(s.path)
	if err != nil {
		return err
	}
	if err := s.p.BecomeOwner(cfg); err != nil {
		return err
	}
	store, err := s.p.OpenStore(cfg)
	if err != nil {
		return err
	}
	for key, value := range s.results {
		if err == nil {
			err = store.State().Update(s.ctx, key, true, func([]byte) ([]byte, error) { return value, nil })
		}
	}
	return errors.Join(err, store.Close())
}
