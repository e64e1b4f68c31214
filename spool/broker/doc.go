// Package broker lets the sites of a hosted service sign in with Google and Microsoft by the
// service's own OAuth client. The client's secret stays at the service: a site sends the calls
// that need it here, and the broker adds the secret and passes them on.
//
//	GET  /google/client   {client_id, auth_url, device_url, scopes}
//	POST /google/token    a form of RFC 6749 without client_id and client_secret
//	POST /google/revoke   a form of RFC 7009, likewise
//
// and the same below /microsoft/. Each request carries the site's name and key as HTTP Basic
// authentication (RFC 7617), over TLS. The browser of the person who signs in goes to the
// provider itself and comes back to the site's machine (RFC 8252), so no code and no token is
// ever stored or logged here. PKCE (RFC 7636) is between the site and the provider.
//
// What a site could do with the client is kept small: of a form only the known fields are passed
// on, the grants are authorization_code, refresh_token and the device code of RFC 8628, and a
// code can only have been sent to a loopback address. So nobody can use the client for a web
// page, or for a client credential of the service itself.
//
// Answers of the broker's own are JSON as RFC 6749 5.2 has it: error and error_description. A
// 401 with the header WWW-Authenticate is about the site's key; one without is the provider's
// word about the client.
package broker
