package main

import (
	"context"

	"notices/config"
)

// commandTokens are the access tokens that token_command prints. It implements
// smtpclient.TokenSource.
type commandTokens struct{ secret config.Secret }

// Token runs the command once in a run.
func (c commandTokens) Token(ctx context.Context) (string, error) { return c.secret.Read(ctx) }

// Refresh runs it again: the server refused what it printed. Connections that were refused
// at the same time share what the first of them gets.
func (c commandTokens) Refresh(ctx context.Context, stale string) (string, error) {
	if now, err := c.secret.Read(ctx); err == nil && now != stale {
		return now, nil
	}
	c.secret.Forget()
	return c.secret.Read(ctx)
}
