// An OpenID provider that plays Google and Microsoft. The protocol is the npm package
// oidc-provider's, which is certified; ours are the pages that a person sees: a login,
// and a consent page on which each permission has a box that starts unticked.
//
// Run as: node --input-type=module - <provider.mjs, in the folder in which npm installed
// it. Settings come by environment: PORT, KEY and CERT (files). It prints a line for each
// event that the tests count, "ready" first.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const { PORT, KEY, CERT } = process.env;
const issuer = `https://127.0.0.1:${PORT}`;
const mail = 'https://mail.google.com/';
const send = 'https://outlook.office.com/SMTP.Send';

const plain = (title, body) => `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}`;
const page = (title, body) => plain(title, `<form method="post">${body}</form>`);

const provider = new Provider(issuer, {
  clients: [
    {
      // Google's type "Desktop app": the secret is sent, and any port will do.
      client_id: 'desktop-app',
      client_secret: 'GOCSPX-of-the-tests',
      application_type: 'native',
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: ['http://127.0.0.1/'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    {
      // Microsoft's public client.
      client_id: 'public-app',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://localhost'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
    },
    {
      // The mail server, which asks whether a token is good.
      client_id: 'dovecot',
      client_secret: 'dovecot-secret',
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [],
      grant_types: [],
      response_types: [],
    },
  ],
  scopes: ['openid', 'email', 'profile', 'offline_access', mail, send],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
  conformIdTokenClaims: false,
  cookies: { keys: ['test'] },
  pkce: { required: (_, client) => client.clientId === 'desktop-app' },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
    // Its own pages would fetch a font from elsewhere.
    deviceFlow: {
      enabled: true,
      userCodeInputSource: async (ctx, form) => { ctx.body = plain('Enter the code', `${form}<button type="submit" form="op.deviceInputForm" id="enter">Next</button>`); },
      userCodeConfirmSource: async (ctx, form) => { ctx.body = plain('Is this the code?', `${form}<button type="submit" form="op.deviceConfirmForm" id="confirm">Yes</button>`); },
      successSource: async (ctx) => { ctx.body = plain('Done', '<p id="done">You can close this window.</p>'); },
    },
  },
  ttl: { AccessToken: 3600, AuthorizationCode: 60, DeviceCode: 300, Grant: 86400, IdToken: 3600, Interaction: 300, RefreshToken: 86400, Session: 3600 },
  issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true, // and a spent one that comes again ends the whole grant
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: id, email_verified: true, preferred_username: id }),
  }),
  renderError: async (ctx, out) => {
    ctx.type = 'text';
    ctx.body = `${out.error}: ${out.error_description}`;
  },
});

const say = (...words) => console.log(words.join(' '));
provider.on('grant.success', (ctx) => say('grant', ctx.oidc.params.grant_type));
provider.on('grant.error', (ctx, err) => say('refused', ctx.oidc?.params?.grant_type, err.error, err.error_detail ?? ''));
provider.on('authorization.error', (_, err) => say('authorization-error', err.error, err.error_description ?? ''));
provider.on('server_error', (_, err) => say('server-error', err.stack));
provider.on('refresh_token.destroyed', () => say('revoked'));

const escape = (s) => String(s).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const labels = {
  openid: 'Associate you with your personal info',
  email: 'See your primary email address',
  [mail]: 'Read, compose, send, and permanently delete all your email',
  [send]: 'Send emails from your mailbox using SMTP AUTH',
};

const loginPage = () => page('Sign in', '<input name="account" id="account"> <button name="do" value="login" id="login">Next</button>');

const consentPage = (scopes) => page('Notices wants access to your account', scopes.map((scope) => `<p><label>
<input type="checkbox" name="scope" value="${escape(scope)}"> ${escape(labels[scope] ?? scope)}</label>`).join('') +
  '<p><button name="do" value="continue" id="continue">Continue</button> <button name="do" value="cancel" id="cancel">Cancel</button>');

async function form(req) {
  let body = '';
  for await (const chunk of req) body += chunk;
  return new URLSearchParams(body);
}

// consent grants what was ticked and refuses the rest.
async function consent(details, ticked) {
  const { grantId, session, params, prompt } = details;
  const grant = grantId ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const asked = prompt.details.missingOIDCScope ?? [];
  const granted = asked.filter((scope) => ticked.includes(scope));
  if (granted.length) grant.addOIDCScope(granted.join(' '));
  const rejected = asked.filter((scope) => !ticked.includes(scope));
  if (rejected.length) grant.rejectOIDCScope(rejected.join(' '));
  return { consent: { grantId: await grant.save() } };
}

async function interaction(req, res) {
  const details = await provider.interactionDetails(req, res);
  const isLogin = details.prompt.name === 'login';
  if (req.method !== 'POST') {
    res.setHeader('Content-Type', 'text/html; charset=utf-8');
    res.end(isLogin ? loginPage() : consentPage(details.prompt.details.missingOIDCScope ?? []));
    return;
  }
  const answer = await form(req);
  let result;
  if (answer.get('do') === 'cancel') result = { error: 'access_denied', error_description: 'End-User aborted interaction' };
  else if (isLogin) result = { login: { accountId: answer.get('account') } };
  else result = await consent(details, answer.getAll('scope'));
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
}

// forget ends an access token before its time and nothing else, as a provider may do
// whenever it likes; by the revocation endpoint all of the grant would end.
async function forget(req, res) {
  const token = await provider.AccessToken.find((await form(req)).get('token'));
  if (token) await token.destroy();
  res.end();
}

const protocol = provider.callback();
createServer({ key: readFileSync(KEY), cert: readFileSync(CERT) }, (req, res) => {
  const ours = req.url === '/forget' ? forget : req.url.startsWith('/interaction/') ? interaction : null;
  if (!ours) return protocol(req, res);
  return ours(req, res).catch((err) => {
    say('interaction-error', err.stack);
    res.statusCode = 500;
    res.end('error');
  });
}).listen(Number(PORT), '127.0.0.1', () => say('ready'));
