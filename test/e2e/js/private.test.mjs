// Every claim and every refusal of private playback, with tokens of jose and plain HTTP.
//
// The caller has put a stream of 960x540 on a private channel and told of it in the environment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomUUID } from 'node:crypto';
import {
  BatchStartViewerSessionRevocationCommand, CreateChannelCommand, CreatePlaybackRestrictionPolicyCommand, DeletePlaybackKeyPairCommand,
  ImportPlaybackKeyPairCommand, IvsClient, StartViewerSessionRevocationCommand,
} from '@aws-sdk/client-ivs';
import { readFile } from 'node:fs/promises';
import { get, now, signer, uris } from './private.mjs';

const { RIVUS_URL, RIVUS_CHANNEL: channel, RIVUS_PLAYBACK: playback, RIVUS_KEYS: keys } = process.env;
const ivs = new IvsClient({ endpoint: RIVUS_URL, maxAttempts: 1 });
const sign = await signer(`${keys}/viewers.pem`, channel);
const path = new URL(playback).pathname;
const watch = (token, headers, method) => get(token === undefined ? playback : `${playback}?token=${token}`, headers, method);

/** begin begins a session and returns the URLs of its media playlist, its init section, and a segment. */
async function begin(claims, headers) {
  const main = await watch(await sign(claims), headers);
  assert.equal(main.status, 200, String(main.body));
  const [index] = uris(main.body, playback);
  const media = await get(index, headers);
  assert.equal(media.status, 200, String(media.body));
  const init = new URL(/#EXT-X-MAP:URI="([^"]+)"/.exec(media.body)[1], index).href;
  return { main, media, index, init, segment: uris(media.body, index)[0], next: nextMSN(media.body) };
}

const nextMSN = (playlist) => Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(playlist)[1]) + (String(playlist).match(/#EXTINF/g) ?? []).length;

function refused(answer, code, text) {
  assert.equal(answer.status, 403, String(answer.body));
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.equal(answer.headers['cache-control'], 'no-store');
  const list = JSON.parse(answer.body);
  assert.equal(list.length, 1);
  assert.deepEqual(Object.keys(list[0]).sort(), ['error', 'error_code', 'type', 'url']);
  assert.equal(list[0].error_code, code);
  assert.equal(list[0].type, 'error');
  assert.match(list[0].error, text);
  return list[0];
}

const wrong = 'invalid_playback_auth_token';
const uuid = randomUUID;

test('refusals of tokens', async (t) => {
  const stranger = await signer(`${keys}/stranger.pem`, channel);
  const six = [1, 2, 3, 4, 5, 6].map((n) => `https://${n}.test`).join();
  const cases = {
    'no token': [undefined, /^token is missing$/],
    'an empty one': ['', /^token is missing$/],
    'no JWT': ['x', /^token contains an invalid number of segments$/],
    'other parts': ['a.b.c', /base64url/],
    'too long': [await sign({ pad: 'x'.repeat(1700) }), /2048/],
    'a stranger': [await stranger(), /not signed by a playback key/],
    'another claim': [await sign().then((t) => t.replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify({ 'aws:channel-arn': channel, exp: now() + 9 })).toString('base64url')}.`)), /not signed/],
    'no channel': [await sign({ 'aws:channel-arn': undefined }), /not for this channel/],
    'another channel': [await sign({ 'aws:channel-arn': `${channel}x` }), /not for this channel/],
    'no exp': [await sign({ exp: undefined }), /exp/],
    'expired': [await sign({ exp: now() - 1 }), /^token is expired$/],
    'a viewer for too long': [await sign({ 'aws:viewer-id': 'x', exp: now() + 700 }), /600 seconds/],
    'one session for too long': [await sign({ 'aws:single-use-uuid': uuid(), exp: now() + 700 }), /600 seconds/],
    'a viewer, in milliseconds': [await sign({ 'aws:viewer-id': 'x', exp: Date.now() }), /600 seconds/],
    'a long viewer': [await sign({ 'aws:viewer-id': 'x'.repeat(41) }), /viewer-id/],
    'no version': [await sign({ 'aws:viewer-id': 'x', 'aws:viewer-session-version': 'one' }), /session-version/],
    'no UUID': [await sign({ 'aws:single-use-uuid': 'once' }), /UUID/],
    'no resolution': [await sign({ 'aws:maximum-resolution': '4K' }), /SD, HD, FULL_HD/],
    'nothing left': [await sign({ 'aws:maximum-resolution': 'SD' }), /greatest resolution is SD/],
    'no origin': [await sign({ 'aws:access-control-allow-origin': 'example.com' }), /not an origin/],
    'six strict origins': [await sign({ 'aws:access-control-allow-origin': six, 'aws:strict-origin-enforcement': true }), /more than 5/],
    'a strict word': [await sign({ 'aws:strict-origin-enforcement': 'yes' }), /true or false/],
    'ads that are no object': [await sign({ 'aws:ads-player-params': 'x' }), /object/],
    'too much for ads': [await sign({ 'aws:ads-player-params': { k: 'x'.repeat(1000) } }), /1000 bytes/],
    'no mode of reports': [await sign({ 'aws:ads-reporting-mode': 'NEVER' }), /CLIENT, SERVER/],
    'another page': [await sign({ 'aws:access-control-allow-origin': 'https://app.example.com' }), /does not allow this page/, { Origin: 'https://evil.example' }],
    'no page': [await sign({ 'aws:access-control-allow-origin': 'https://app.example.com' }), /no Origin/],
  };
  for (const [name, [token, text, headers]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const error = refused(await watch(token, headers), wrong, text);
      assert.equal(error.url, path); // and nothing of the token
    });
  }
});

test('what is let in', async (t) => {
  const page = { Origin: 'https://a.example.org' };
  const cases = {
    'nothing but channel and exp': [{}],
    'far ahead, in milliseconds': [{ exp: Date.now() + 3600_000 }],
    'iat and nbf are not read': [{ iat: now() + 1000, nbf: now() + 1000, custom: { a: 1 } }],
    'a viewer': [{ 'aws:viewer-id': 'Zoë', 'aws:viewer-session-version': '3' }],
    'HD': [{ 'aws:maximum-resolution': 'HD' }],
    'FULL_HD': [{ 'aws:maximum-resolution': 'FULL_HD' }],
    'pages': [{ 'aws:access-control-allow-origin': 'https://app.example.com, https://*.example.org' }, page],
    'strict pages': [{ 'aws:access-control-allow-origin': 'https://*.example.org', 'aws:strict-origin-enforcement': true }, page],
    'ads': [{ 'aws:ads-opt-out': true, 'aws:ads-playback-config-name': 'x', 'aws:ads-player-params': { a: 'b' }, 'aws:ads-reporting-mode': 'SERVER' }],
  };
  for (const [name, [claims, headers]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const s = await begin(claims, headers);
      assert.equal(s.main.headers['cache-control'], 'no-store');
      assert.equal(s.main.headers['access-control-allow-origin'], headers ? page.Origin : '*');
      assert.match(s.media.headers['cache-control'], /^private, max-age=0$/);
      for (const file of [s.init, s.segment]) {
        assert.match(file, /\/v\/[\w-]+\/st-/);
        const answer = await get(file, headers);
        assert.equal(answer.status, 200);
        assert.match(answer.headers['cache-control'], /^private, .*immutable$/);
      }
    });
  }
});

test('strict pages are asked for on every request', async () => {
  const page = { Origin: 'https://app.example.com' };
  const claims = { 'aws:access-control-allow-origin': page.Origin, 'aws:strict-origin-enforcement': true };
  const s = await begin(claims, page);
  for (const url of [s.index, s.init, s.segment]) {
    refused(await get(url), wrong, /no Origin/);
    refused(await get(url, { Origin: 'https://evil.example' }), wrong, /evil.example/);
    const answer = await get(url, page);
    assert.equal(answer.headers['access-control-allow-origin'], page.Origin);
    assert.match(answer.headers.vary, /Origin/);
  }
  const once = await begin({ ...claims, 'aws:strict-origin-enforcement': false }, page);
  assert.equal((await get(once.segment)).status, 200);
});

test('paths without a session, and of another stream', async () => {
  const s = await begin({});
  const open = s.index.replace(/\/v\/[\w-]+/, '');
  refused(await get(open), wrong, /no playback session/);
  refused(await get(open.replace('index.m3u8', 'seg1.m4s')), wrong, /no playback session/);
  refused(await get(s.index.replace('/v/', '/v/A')), 'playback_restricted', /not valid here/);
  refused(await get(s.index.replace(/\/st-\w+/, '/st-0123456789abcdefghijklm')), 'playback_restricted', /not valid here/);
});

test('a token for one session', async () => {
  const token = await sign({ 'aws:single-use-uuid': uuid() });
  assert.equal((await watch(token, {}, 'HEAD')).status, 200);
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => watch(token)));
  const [first] = all.filter((a) => a.status === 200);
  assert.deepEqual(all.map((a) => a.status).sort(), [200, 403, 403, 403, 403]);
  refused(await watch(token), wrong, /used before/);
  assert.equal((await get(uris(first.body, playback)[0])).status, 200);
});

test('exp is for the beginning', async () => {
  const exp = now() + 10;
  const s = await begin({ exp });
  await new Promise((done) => setTimeout(done, (exp + 1) * 1000 - Date.now())); // nothing else tells that it has expired
  assert.equal((await get(s.index)).status, 200);
  assert.equal((await get(s.segment)).status, 200);
});

test('a revoked viewer', async () => {
  const viewer = { 'aws:viewer-id': 'u-1042', 'aws:viewer-session-version': 1 };
  const [old, other, newer] = [await begin(viewer), await begin({ 'aws:viewer-id': 'u-1043' }), await begin({ ...viewer, 'aws:viewer-session-version': 2 })];
  const waits = get(`${old.index}?_HLS_msn=${old.next + 1}`);
  await ivs.send(new StartViewerSessionRevocationCommand({ channelArn: channel, viewerId: 'u-1042', viewerSessionVersionsLessThanOrEqualTo: 1 }));
  refused(await waits, wrong, /revoked/);
  for (const url of [old.index, old.init, old.segment]) refused(await get(url), wrong, /revoked/);
  refused(await watch(await sign(viewer)), wrong, /revoked/);
  refused(await watch(await sign({ 'aws:viewer-id': 'u-1042' })), wrong, /revoked/);
  for (const s of [other, newer]) assert.equal((await get(s.index)).status, 200);
  const { errors } = await ivs.send(new BatchStartViewerSessionRevocationCommand({ viewerSessions: [
    { channelArn: channel, viewerId: 'u-1043' }, { channelArn: `${channel}x`, viewerId: 'u-1' },
  ] }));
  assert.deepEqual(errors.map((e) => [e.viewerId, e.code]), [['u-1', '404']]);
  refused(await get(other.index), wrong, /revoked/);
});

test('a deleted key begins nothing and ends nothing', async () => {
  const publicKeyMaterial = await readFile(`${keys}/second.pub`, 'utf8');
  const { keyPair } = await ivs.send(new ImportPlaybackKeyPairCommand({ publicKeyMaterial, name: 'second' }));
  const token = await (await signer(`${keys}/second.pem`, channel))();
  const main = await watch(token);
  assert.equal(main.status, 200);
  await ivs.send(new DeletePlaybackKeyPairCommand({ arn: keyPair.arn }));
  refused(await watch(token), wrong, /not signed by a playback key/);
  assert.equal((await get(uris(main.body, playback)[0])).status, 200);
});

test('status', async () => {
  const ask = async (query) => JSON.parse((await get(`${playback}?status${query}`)).body);
  assert.deepEqual(await ask(''), { state: 'private' });
  assert.deepEqual(await ask(`&token=${await sign()}`), { state: 'live' });
  assert.deepEqual(await ask(`&token=${await sign({ exp: now() - 1 })}`), { state: 'refused', reason: 'token is expired' });
});

test('a public channel with a policy', async () => {
  const { playbackRestrictionPolicy } = await ivs.send(new CreatePlaybackRestrictionPolicyCommand({ allowedOrigins: ['https://*.example.com'] }));
  const made = await ivs.send(new CreateChannelCommand({ playbackRestrictionPolicyArn: playbackRestrictionPolicy.arn }));
  const url = made.channel.playbackUrl; // off air: 404 is for who may watch
  assert.equal((await get(url, { Origin: 'https://a.example.com' })).status, 404);
  assert.equal((await get(url, { Referer: 'https://a.example.com/player' })).status, 404);
  refused(await get(url, { Origin: 'https://example.com' }), 'origin_not_allowed', /example.com/);
  refused(await get(url), 'origin_not_allowed', /no Origin/);
  const far = await ivs.send(new CreatePlaybackRestrictionPolicyCommand({ allowedCountries: ['FR'] }));
  const abroad = await ivs.send(new CreateChannelCommand({ playbackRestrictionPolicyArn: far.playbackRestrictionPolicy.arn }));
  refused(await get(abroad.channel.playbackUrl), 'country_not_allowed', /--geoip-db/);
});
