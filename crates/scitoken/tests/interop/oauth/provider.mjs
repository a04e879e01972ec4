// A real OpenID provider (npm oidc-provider 8.8.1) on loopback, with a resource that wants its tokens.
//
// Settings come from the environment: MODULES (node_modules), TLS_KEY, TLS_CERT (PEM files), AT_TTL (seconds that an
// access token lives). It prints its port when it is ready, and ends when its standard input does.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = process.env.MODULES;
const load = (file) => import(pathToFileURL(path.join(modules, file)));
const { Provider, errors } = await load('oidc-provider/lib/index.js');

const ttl = Number(process.env.AT_TTL || 600);
const scopes = ['openid', 'offline_access', 'storage.read:/', 'storage.modify:/'];
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const resource = 'https://storage.example.org';

const key = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const idKey = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const jwk = (k, kid, alg) => ({ ...k.export({ format: 'jwk' }), kid, alg, use: 'sig' });
const server = (audience) => ({
  scope: scopes.join(' '), audience, accessTokenTTL: ttl, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
});

const https_server = https.createServer({
  key: fs.readFileSync(process.env.TLS_KEY), cert: fs.readFileSync(process.env.TLS_CERT),
});
await new Promise((done) => https_server.listen(0, '127.0.0.1', done));
const { port } = https_server.address();
const issuer = `https://localhost:${port}`;

const provider = new Provider(issuer, {
  jwks: { keys: [jwk(key, 'es1', 'ES256'), jwk(idKey, 'rs1', 'RS256')] },
  scopes,
  clients: [
    { client_id: 'public', token_endpoint_auth_method: 'none', application_type: 'native',
      redirect_uris: ['http://localhost:4242'], grant_types: ['authorization_code', 'refresh_token', DEVICE],
      response_types: ['code'] },
    { client_id: 'agent', client_secret: 'agent secret', redirect_uris: ['http://localhost:4242'],
      response_types: ['code'], grant_types: ['authorization_code', 'refresh_token', DEVICE] },
    { client_id: 'service', client_secret: 'service:s+ cr%et', redirect_uris: [], response_types: [],
      grant_types: ['client_credentials', EXCHANGE] },
  ],
  cookies: { keys: ['x'] },
  ttl: { AccessToken: ttl, ClientCredentials: ttl, DeviceCode: 120, RefreshToken: 86400, Grant: 86400,
    Session: 86400, Interaction: 600, IdToken: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (ctx, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true }, deviceFlow: { enabled: true }, clientCredentials: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: { enabled: true, defaultResource: () => resource, useGrantedResource: () => true,
      getResourceServerInfo: (ctx, audience) => server(audience) },
  },
});

provider.registerGrantType(EXCHANGE, async (ctx, next) => {
  const { params, client } = ctx.oidc;
  if (!params.subject_token) throw new errors.InvalidRequest('missing subject_token');
  let claims;
  try { claims = JSON.parse(Buffer.from(params.subject_token.split('.')[1], 'base64url')); }
  catch { throw new errors.InvalidGrant('subject_token is not a JWT'); }
  const audience = params.audience || params.resource || resource;
  const token = new provider.ClientCredentials({ client, scope: params.scope || claims.scope });
  token.resourceServer = new provider.ResourceServer(audience, server(audience));
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token', scope: token.scope };
  await next();
}, ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'resource', 'scope'],
['audience', 'resource']);

const stats = { granted: 0, refused: 0, served: 0, turned_away: 0 };
provider.on('grant.success', () => { stats.granted += 1; });
provider.on('grant.error', () => { stats.refused += 1; });
provider.on('server_error', (ctx, error) => console.error('server_error', error));

// A token is good if we signed it and it has not ended: to the millisecond, so that nobody is let in by rounding.
function good(token) {
  try {
    const [head, body, signature] = token.split('.');
    const valid = crypto.verify('sha256', Buffer.from(`${head}.${body}`),
      { key: crypto.createPublicKey(key), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    return valid && JSON.parse(Buffer.from(body, 'base64url')).exp * 1000 > Date.now();
  } catch { return false; }
}

const callback = provider.callback();
https_server.on('request', (request, response) => {
  if (request.url === '/stats') return response.end(JSON.stringify(stats));
  if (request.url !== '/resource') return callback(request, response);
  if (good((request.headers.authorization || '').replace(/^Bearer /, ''))) {
    stats.served += 1;
    return response.end('data');
  }
  stats.turned_away += 1;
  response.writeHead(401, { 'www-authenticate': 'Bearer realm="storage", error="invalid_token"' });
  return response.end();
});

process.stdin.on('end', () => process.exit(0)).resume();
console.log(port);
