package oauth

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"
)

// RunDevice signs in by a code that the person types in on another device (RFC 8628).
// Errors are as those of Run.
func (l *Login) RunDevice(ctx context.Context) (Account, error) {
	a, err := l.begin(ctx)
	if err != nil {
		return Account{}, err
	}
	ctx, cancel := l.limit(ctx)
	defer cancel()
	p := &l.Client.Provider
	device, err := a.config.DeviceAuth(l.Client.with(ctx))
	if err != nil {
		return Account{}, l.notExchanged(err, a.config.ClientSecret)
	}
	if device.DeviceCode == "" || device.UserCode == "" || device.VerificationURI == "" {
		return Account{}, l.refuse(p.Name+" gave no code", host(p.DeviceURL)+": "+errAnswer.Error()+".")
	}
	l.Say(fmt.Sprintf("Open this address in any browser, on any device:\n\n%s\n\nand enter this code there: %s\n",
		clean(device.VerificationURI, nil), clean(device.UserCode, nil)))
	l.Say(fmt.Sprintf("Sign in with %s as the account that sends the mail. Waiting...", p.Name))
	t, err := l.poll(ctx, a, device)
	if err != nil {
		return Account{}, err
	}
	return l.keep(ctx, t)
}

// poll asks whether the person is done, as often as the provider wants it.
func (l *Login) poll(ctx context.Context, a *asking, device *oauth2.DeviceAuthResponse) (*oauth2.Token, error) {
	device.Interval = min(max(device.Interval, 0), 60) // a ticker panics below 1; 0 is its default
	t, err := a.config.DeviceAccessToken(l.Client.with(ctx), device)
	if err == nil {
		return t, nil
	}
	said := answerOf(err)
	switch {
	case said == nil && context.Cause(ctx) != nil:
		return nil, l.over(ctx)
	case said == nil && errors.Is(err, context.DeadlineExceeded), said != nil && said.code == "expired_token":
		return nil, l.refuse("The code is too old", "It was not entered in time.")
	case said != nil && (said.code == "access_denied" || said.code == "authorization_declined"):
		return nil, l.refuse("The sign-in was cancelled", fmt.Sprintf("%s says that it was cancelled, or that access was not allowed.", l.Client.Provider.Name))
	}
	return nil, l.notExchanged(err, device.DeviceCode, a.config.ClientSecret)
}
