package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/exit"
	"weir/internal/repaircode"
	"weir/sender"
)

// handle does what a request asks for.
func (s *service) handle(ctx context.Context, r control.Request, stream *os.File, p control.Progress) (res control.Result, err error) {
	var detail any
	switch r.Action {
	case control.Push:
		return s.take(ctx, r, stream, p)
	case control.Plan:
		detail, err = s.sender.Plan(ctx, r.Codes, r.Several)
	case control.Resend:
		detail, err = s.resend(ctx, r, p)
	case control.List:
		detail, err = s.list(r)
	case control.Calibrate:
		detail, err = s.calibrate(ctx, r.Calibrate)
	case control.OfferKey, control.SwitchKey, control.WithdrawKey:
		detail, err = s.changeKey(ctx, r)
	case control.SwitchReceiver:
		detail, err = struct{}{}, s.switchReceiver(ctx, r.Key)
	case control.Status:
		detail, err = s.status()
	default:
		err = fmt.Errorf("%w: this weir-send run does not know how to %s; start it anew after an update", control.ErrRequest, r.Action)
	}
	if errors.Is(err, repaircode.ErrCode) || errors.Is(err, sender.ErrOtherCode) || errors.Is(err, sender.ErrJob) || errors.Is(err, errNoKey) {
		err = fmt.Errorf("%w: %w", control.ErrRequest, err)
	}
	if err == nil {
		res.Detail, err = json.Marshal(detail)
	}
	return res, err
}

func (s *service) resend(ctx context.Context, r control.Request, p control.Progress) ([]*sender.Again, error) {
	plan, err := s.sender.Plan(ctx, r.Codes, r.Several)
	if err != nil {
		return nil, err
	}
	return s.sender.Resend(ctx, plan, p.Done)
}

func (s *service) list(r control.Request) (any, error) {
	if r.Snap != "" {
		return s.sender.SentFiles(r.Snap)
	}
	return s.sender.Overview()
}

// ask has the running service do what a request asks for, and does it itself where
// there is none; with the link if that is needed. The detail of the answer is
// decoded into detail.
func ask(ctx context.Context, c config.Sender, log zerolog.Logger, r control.Request, p control.Progress, detail any) error {
	res, err := control.Ask(ctx, c.Socket, r, nil, p)
	if errors.Is(err, control.ErrNoService) {
		res, err = askAlone(ctx, c, log, r, p)
	}
	if errors.Is(err, control.ErrRequest) {
		return exit.With(exit.Usage, err)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(res.Detail, detail); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// sends reports whether it takes the link to do what a request asks for.
func sends(action string) bool {
	return action == control.Resend || action == control.Calibrate || action == control.SwitchKey
}

func askAlone(ctx context.Context, c config.Sender, log zerolog.Logger, r control.Request, p control.Progress) (res control.Result, err error) {
	log = log.Level(max(log.GetLevel(), zerolog.WarnLevel))
	if !sends(r.Action) {
		s, err := newOffline(c, log)
		if err != nil {
			return res, err
		}
		defer s.close()
		return s.handle(ctx, r, nil, p)
	}
	s, err := newService(c, log, nil)
	if err != nil {
		return res, err
	}
	err = s.with(ctx, func(ctx context.Context) error {
		res, err = s.handle(ctx, r, nil, p)
		return err
	})
	return res, err
}
