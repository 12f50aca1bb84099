// The parts that need no browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from './load.mjs';
import { token } from './fakes.mjs';

const { Emitter } = await load('emitter');
const { parseToken } = await load('token');
const { iceFragment, restartedAnswer, withParameters } = await load('sdp');
const { encodings } = await load('simulcast');
const { seiCodec } = await load('sei');
const { Meter, grade } = await load('quality');
const { refused } = await load('errors');
const { parseMessage } = await load('protocol');
const { version } = await load('version');
const { SimulcastLayerPresets, StageEvents, StageErrorCode } = await load('index');

test('the version is the one of the package', () => {
  const { version: packaged } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(version, packaged);
});

test('a token says who, where and what is allowed', () => {
  const claims = parseToken(token({ user_id: 'Zoë ✓', whip_url: 'https://a.example/rt/whip/', capabilities: { allow_subscribe: true } }));
  assert.equal(claims.participantId, 'me');
  assert.equal(claims.userId, 'Zoë ✓');
  assert.equal(claims.whipUrl, 'https://a.example/rt/whip');
  assert.deepEqual([...claims.capabilities], ['SUBSCRIBE']);
  assert.deepEqual(claims.attributes, { a: '1' });
});

test('what is no token is refused', () => {
  const good = token();
  for (const bad of [
    undefined, null, 7, '', 'a.b', `${good}.x`, good.replace('.', ','), 'a.%.b', `a.${btoa('[]')}.b`, `a.${btoa('{"jti":')}.b`,
    token({ jti: '' }), token({ topic: 3 }), token({ events_url: 'http://a.example' }), token({ whip_url: 'not one' }),
    token({ whip_url: 'javascript:alert(1)' }), token({ resource: undefined }),
  ]) {
    assert.throws(() => parseToken(bad), (e) => e.code === StageErrorCode.TOKEN_MALFORMED && e.category === 'JOIN_ERROR', String(bad));
  }
});

test('listeners are called in order, with their context, until they are taken off', (t) => {
  const reported = t.mock.method(console, 'error', () => {});
  const calls = [];
  const e = new (class extends Emitter {
    fire(...args) {
      this.emit('x', ...args);
    }
  })();
  const both = function (n) {
    calls.push([this?.name, n]);
  };
  const a = { name: 'a' };
  e.on('x', both, a);
  e.on('x', () => {
    throw new Error('an application that fails');
  });
  e.on('x', both);
  e.fire(1);
  e.off('x', both);
  e.fire(2);
  e.off('x', both, a);
  e.fire(3);
  assert.deepEqual(calls, [['a', 1], [undefined, 1], ['a', 2]]);
  assert.equal(reported.mock.callCount(), 3);
});

test('simulcast layers follow the picture', () => {
  const plan = (width, height, wish = {}) =>
    encodings({ width, height }, { simulcast: { enabled: true }, ...wish }).map((e) => [e.rid, e.scaleResolutionDownBy, e.maxBitrate / 1000, e.maxFramerate]);
  assert.deepEqual(plan(1280, 720), [['low', 4, 200, 15], ['mid', 2, 700, 20], ['hi', 1, 1700, 30]]);
  assert.deepEqual(plan(720, 1280), plan(1280, 720), 'whatever its orientation');
  assert.deepEqual(plan(960, 540), [['low', 3, 200, 15], ['hi', 1, 1700, 30]]);
  assert.deepEqual(plan(640, 360), [['low', 2, 200, 15], ['hi', 1, 700, 20]]);
  assert.deepEqual(plan(480, 270), [[undefined, undefined, 2500, 30]], 'too small');
  assert.deepEqual(plan(1280, 720, { maxBitrate: 699 }), [[undefined, undefined, 699, 30]], 'no room for a second layer');
  assert.deepEqual(plan(1280, 720, { maxBitrate: 3000, maxFramerate: 24 }), [['low', 4, 200, 15], ['mid', 2, 700, 20], ['hi', 1, 3000, 24]]);
  assert.deepEqual(plan(1280, 720, { simulcast: { enabled: false } }), [[undefined, undefined, 2500, 30]]);
  const { DEFAULT_720, DEFAULT_180 } = SimulcastLayerPresets;
  assert.deepEqual(plan(1280, 720, { simulcast: { enabled: true, layers: [DEFAULT_720, DEFAULT_180] } }), [['low', 4, 200, 15], ['hi', 1, 1700, 30]]);
});

const offer = 'v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 X 111\r\na=mid:0\r\na=ice-ufrag:u1\r\na=ice-pwd:p1\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;stereo=0\r\nm=video 0 X 96\r\na=mid:1\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 level=1\r\n';

test('a fragment has the credentials of the offer', () => {
  assert.equal(iceFragment(offer), 'a=ice-ufrag:u1\r\na=ice-pwd:p1\r\nm=audio 9 X 111\r\na=mid:0\r\n');
});

test('a restarted answer has the new credentials, and candidates only where there is media', () => {
  const answer = offer.replace('m=video 0', 'a=candidate:old\r\nm=video 0').replaceAll('u1', 'old');
  const got = restartedAnswer(answer, 'a=ice-ufrag:new\r\na=ice-pwd:np\r\nm=audio 9 X 0\r\na=candidate:fresh\r\na=end-of-candidates\r\n');
  assert.match(got, /^v=0\r\na=group:BUNDLE 0 1\r\nm=audio[^]*a=ice-ufrag:new\r\na=ice-pwd:np\r\na=candidate:fresh\r\nm=video 0/);
  assert.doesNotMatch(got, /old/);
  assert.equal(got.match(/candidate/g).length, 1);
  assert.throws(() => restartedAnswer(answer, 'm=audio 9 X 0\r\n'));
});

test('parameters are added to one codec, and do not change what is there', () => {
  const got = withParameters(offer, 'opus', { stereo: 1, 'sprop-stereo': 1 });
  assert.match(got, /a=fmtp:111 minptime=10;stereo=0;sprop-stereo=1\r\n/);
  assert.match(got, /a=fmtp:96 level=1\r\n/);
  assert.equal(withParameters(offer, 'VP8', { x: 1 }), offer);
});

/** A number below n that is the same in every run. */
let seed = 1;
const random = (n) => {
  seed = (seed * 48271) % 2147483647;
  return seed % n;
};
const bytes = (length, of = 256) => Uint8Array.from({ length }, () => random(of));
const uuid = '00000000-0103-0000-0080-ffee01020304'; // full of what must be escaped

test('SEI messages go through a frame as they are', () => {
  const codec = new Function(`return (${seiCodec})()`)(); // as the worker gets it
  const frame = Uint8Array.from([0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9, 9]);
  for (let i = 0; i < 500; i++) {
    const payload = bytes(1 + random(1023), i % 2 ? 4 : 256);
    const one = codec.insert(frame, uuid, payload);
    const two = codec.insert(one, uuid, payload);
    assert.deepEqual(codec.find(one), [{ uuid, payload }]);
    assert.equal(codec.find(two).length, 2);
    const slice = one.length - 6;
    assert.deepEqual(one.subarray(0, 13), frame.subarray(0, 13), 'parameter sets stay in front');
    assert.deepEqual(one.subarray(slice), frame.subarray(13), 'the slice stays behind');
  }
});

test('frames of other codecs are left alone', () => {
  const codec = seiCodec();
  for (const frame of [new Uint8Array(0), Uint8Array.from([0x10, 2, 0, 0, 0, 1, 0x65, 1]), Uint8Array.from([0, 0, 0, 1, 0x67])]) {
    assert.equal(codec.insert(frame, uuid, bytes(5)), frame);
    assert.deepEqual(codec.find(frame), []);
  }
});

test('damaged frames break nothing', () => {
  const codec = seiCodec();
  const whole = codec.insert(Uint8Array.from([0, 0, 1, 0x65, 9]), uuid, bytes(300));
  for (let i = 0; i < 2000; i++) {
    const frame = whole.slice(0, random(whole.length + 1));
    for (let n = random(8); n > 0 && frame.length; n--) frame[random(frame.length)] = random(256);
    for (const { uuid: got, payload } of codec.find(frame)) {
      assert.match(got, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.ok(payload.length <= frame.length);
    }
    codec.insert(frame, uuid, bytes(3));
  }
});

test('quality is that of the time since the last look', () => {
  const meter = new Meter();
  const received = (packetsReceived, packetsLost) =>
    meter.read(new Map([['i', { id: 'i', type: 'inbound-rtp', kind: 'video', packetsReceived, packetsLost, frameWidth: 640 }]]), 'video')[0];
  assert.deepEqual([received(100, 50).networkQuality, received(200, 50).networkQuality, received(200, 60).networkQuality], [1, 4, 0]);
  const rows = [
    { id: 'h', type: 'outbound-rtp', kind: 'video', rid: 'hi', packetsSent: 10 },
    { id: 'l', type: 'outbound-rtp', kind: 'video', rid: 'low', packetsSent: 0 },
    { id: 'r', type: 'remote-inbound-rtp', kind: 'video', localId: 'h', fractionLost: 0.05, roundTripTime: 0.02 },
    { id: 'a', type: 'outbound-rtp', kind: 'audio', packetsSent: 5 },
  ];
  const sent = meter.read(new Map(rows.map((r) => [r.id, r])), 'video');
  assert.deepEqual(sent.map((s) => [s.rid, s.active, s.networkQuality]), [['low', false, 0], ['hi', true, 2]]);
  assert.deepEqual([grade(0, 0.1), grade(0.02), grade(0.05), grade(0.2), grade(0, 1)], [4, 3, 2, 1, 1]);
});

test('refusals have the documented codes', () => {
  const code = (status, text = '', category = 'PUBLISH_ERROR') => refused(new Response(null, { status }), text, category).code;
  assert.equal(code(401, 'token refused: expired'), 2);
  assert.equal(code(401, 'token refused: wrong signature'), 1);
  assert.equal(code(403, 'the token does not allow to publish'), 8);
  assert.equal(code(403, 'token refused: participant was disconnected'), 10);
  assert.equal(code(404, 'token refused: unknown stage'), 9);
  assert.equal(code(404, 'the participant does not publish', 'SUBSCRIBE_ERROR'), undefined, 'it may come');
  assert.equal(code(406), 7);
  assert.equal(code(422), 7);
  assert.equal(code(429), 6);
  assert.equal(code(400), 4);
  const busy = refused(new Response(null, { status: 503, headers: { 'Retry-After': '2' } }), '', 'PUBLISH_ERROR');
  assert.deepEqual([busy.code, busy.retryAfter], [undefined, 2000]);
});

test('frames that are no messages are nothing', () => {
  for (const data of [undefined, new ArrayBuffer(3), '', '{', 'null', '3', '{"type":3}', '[]']) assert.equal(parseMessage(data), undefined, String(data));
  assert.equal(parseMessage('{"type":"PONG"}').type, 'PONG');
});

test('events have the documented strings', () => {
  assert.equal(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, 'stageParticipantStreamsAdded');
  assert.equal(StageEvents.STAGE_LEFT, 'stageLeft');
  assert.equal(Object.keys(StageEvents).length, 15);
});
