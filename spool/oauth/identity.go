package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"notices/spool"
)

// claims are what is read of an id token or of the userinfo endpoint.
type claims struct {
	Email string `json:"email"`
	// Name is the address of a Microsoft account that has no mailbox claim.
	Name string `json:"preferred_username"`
}

// address is the first that is one.
func (c claims) address() string {
	for _, a := range []string{c.Email, c.Name} {
		if spool.CheckAddress(a) == nil {
			return a
		}
	}
	return ""
}

// readIDToken reads an id token's claims without checking its signature: it came
// straight from the token endpoint over TLS (OpenID Connect Core 3.1.3.7, 6).
func readIDToken(token string) claims {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(body, &c) != nil {
		return claims{}
	}
	return c
}

// identify finds out who signed in; empty: the provider does not say.
func (c *Client) identify(ctx context.Context, t *oauth2.Token) string {
	if id, ok := t.Extra("id_token").(string); ok {
		if a := readIDToken(id).address(); a != "" {
			return a
		}
	}
	if c.Provider.UserinfoURL == "" {
		return ""
	}
	return c.userinfo(ctx, t.AccessToken).address()
}

// userinfo asks OpenID Connect's endpoint of that name (Core 5.3).
func (c *Client) userinfo(ctx context.Context, access string) claims {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Provider.UserinfoURL, nil)
	if err != nil {
		return claims{}
	}
	r.Header.Set("Authorization", "Bearer "+access)
	answer, err := c.http().Do(r)
	if err != nil {
		return claims{}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body) // bounded by sober
	var found claims
	if err != nil || answer.StatusCode != http.StatusOK || json.NewDecoder(bytes.NewReader(body)).Decode(&found) != nil {
		return claims{}
	}
	return found
}
