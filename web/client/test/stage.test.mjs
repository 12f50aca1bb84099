// A stage in a browser without a network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiveMessageOnPort } from 'node:worker_threads';
import { browser, Clock, created, restarted, settle, token, track } from './fakes.mjs';
import { load } from './load.mjs';

const { LocalStageStream, Stage, StageErrorCode, StageEvents, StageLeftReason, SubscribeType } = await load('index');

/** A participant as the server lists it. */
const other = (more = {}) => ({ id: 'her', userId: 'her', attributes: {}, isPublishing: true, hasAudio: true, hasVideo: true, audioMuted: false, videoStopped: false, ...more });
const silent = { isPublishing: false, hasAudio: false, hasVideo: false };
const layers = (...rates) => ['low', 'mid', 'hi'].slice(0, rates.length).map((label, i) => ({ label, bitrate: rates[i] }));

/** A promise that the test resolves. */
const later = () => {
  const promise = {};
  promise.promise = new Promise((resolve) => Object.assign(promise, { resolve }));
  return promise;
};

/** Makes a browser and a stage in it that notes its events. */
function setUp(t, { claims, ...strategy } = {}) {
  t.after(() => stage.leave()); // while the browser is there
  const clock = new Clock().install(t);
  browser.install(t);
  const wishes = { publish: [], subscribe: SubscribeType.AUDIO_VIDEO, config: undefined, layer: undefined };
  const stage = new Stage(token(claims), {
    stageStreamsToPublish: () => wishes.publish,
    shouldPublishParticipant: () => true,
    shouldSubscribeToParticipant: () => wishes.subscribe,
    subscribeConfiguration: () => wishes.config,
    preferredLayerForStream: () => wishes.layer,
    ...strategy,
  });
  const events = [];
  const short = (a) => a?.userId ?? a?.code ?? a?.label ?? (Array.isArray(a) ? a.map((s) => s.streamType ?? s.label).join('+') : (a?.streamType ?? a));
  for (const [name, event] of Object.entries(StageEvents)) {
    stage.on(event, (...args) => events.push([name.replace(/^STAGE_(PARTICIPANT_|STREAM_)?/, ''), ...args.map(short)].join(' ')));
  }
  /** The events since the last call. */
  const seen = () => events.splice(0);
  const join = async (...participants) => {
    const joined = stage.join();
    browser.socket.welcome(...participants);
    await joined;
    await settle();
  };
  return { clock, stage, wishes, seen, join };
}

test('joining tells who is there, and publishes', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('video')), new LocalStageStream(track('audio'))];
  await join(other(silent));
  assert.equal(browser.socket.url, 'ws://127.0.0.1/rt/events/stage');
  assert.deepEqual(browser.socket.said('HELLO'), [{ sdkVersion: '0.1.0' }]);
  assert.deepEqual(seen(), [
    'CONNECTION_STATE_CHANGED connecting', 'CONNECTION_STATE_CHANGED connected', 'JOINED me',
    'STREAMS_ADDED me audio+video', 'PUBLISH_STATE_CHANGED me attemptingPublish', 'JOINED her',
  ]);
  assert.deepEqual(browser.asked, ['POST whip']);
  assert.match(browser.requests[0].headers['Authorization'], /^Bearer ey/);
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me published']);
  stage.leave();
  assert.deepEqual(seen(), [
    'STREAMS_REMOVED me audio+video', 'PUBLISH_STATE_CHANGED me notPublished', 'LEFT her', 'LEFT me',
    'CONNECTION_STATE_CHANGED disconnected', `LEFT ${StageLeftReason.USER_INITIATED}`,
  ]);
  assert.deepEqual(browser.asked, ['POST whip', 'DELETE one']);
});

test('the strategy is asked again without any effect when nothing is different', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('video'))];
  await join(other());
  seen();
  const before = browser.requests.length;
  for (let i = 0; i < 3; i++) stage.refreshStrategy();
  await settle();
  assert.deepEqual([seen(), browser.requests.length], [[], before]);
});

test('a subscription follows the publisher and the wish', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  await join(other(silent));
  assert.deepEqual(browser.asked, []);
  browser.socket.say('PARTICIPANT_PUBLISHED', other());
  await settle();
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(browser.asked, ['POST her']);
  assert.deepEqual(seen().slice(-4), [
    'PUBLISH_STATE_CHANGED her published', 'SUBSCRIBE_STATE_CHANGED her attemptingSubscribe', 'STREAMS_ADDED her audio+video', 'SUBSCRIBE_STATE_CHANGED her subscribed',
  ]);
  wishes.subscribe = SubscribeType.AUDIO_ONLY;
  stage.refreshStrategy();
  assert.deepEqual(seen(), ['STREAMS_REMOVED her video']);
  wishes.subscribe = SubscribeType.AUDIO_VIDEO;
  stage.refreshStrategy();
  assert.deepEqual(seen(), ['STREAMS_ADDED her video']);
  assert.deepEqual(browser.socket.said('PAUSE'), [{ id: 'her', audio: false, video: true }, { id: 'her', audio: false, video: false }]);
  browser.socket.say('PARTICIPANT_PUBLISHED', other());
  assert.deepEqual([seen(), browser.asked.length], [[], 1], 'it has published anew: the connection stays');
  wishes.subscribe = SubscribeType.NONE;
  stage.refreshStrategy();
  assert.deepEqual(seen(), ['STREAMS_REMOVED her audio+video', 'SUBSCRIBE_STATE_CHANGED her notSubscribed']);
  assert.deepEqual(browser.asked, ['POST her', 'DELETE one']);
});

test('audio is subscribed to with its video paused, or alone when the codec is not known', async (t) => {
  const { wishes, seen, join } = setUp(t);
  wishes.subscribe = SubscribeType.AUDIO_ONLY;
  browser.answers = [{ status: 406, body: 'the publisher sends AV1' }];
  await join(other());
  assert.deepEqual(browser.pcs.map((pc) => pc.getTransceivers().map((t) => t.receiver.track.kind)), [['audio', 'video'], ['audio']]);
  assert.ok(seen().includes('STREAMS_ADDED her audio'));
});

test('who cannot be shown is named, and can be heard', async (t) => {
  const { stage, wishes, seen, join } = setUp(t, {});
  browser.answers = [{ status: 406, body: 'the publisher sends H264' }, { status: 406, body: 'the publisher sends H264' }];
  const errors = [];
  stage.on(StageEvents.ERROR, (error) => errors.push([error.code, error.details.participantId]));
  await join(other());
  assert.deepEqual(errors, [[StageErrorCode.CODEC_MISMATCH, 'her']]);
  wishes.subscribe = SubscribeType.AUDIO_ONLY;
  stage.refreshStrategy();
  await settle();
  assert.ok(seen().includes('STREAMS_ADDED her audio'));
});

test('a publisher who adds a track is subscribed to anew', async (t) => {
  const { seen, join } = setUp(t);
  await join(other({ hasVideo: false }));
  seen();
  browser.socket.say('PARTICIPANT_PUBLISHED', other());
  await settle();
  assert.deepEqual(seen(), ['STREAMS_REMOVED her audio', 'STREAMS_ADDED her audio+video']);
  assert.deepEqual(browser.asked, ['POST her', 'POST her']);
  assert.equal(browser.pcs[0].connectionState, 'closed');
});

test('who leaves while it is being subscribed to is no error', async (t) => {
  for (const status of [204, 404]) {
    await t.test(String(status), async (t) => {
      const { clock, seen, join } = setUp(t);
      browser.answers = [{ status, body: 'the participant does not publish' }];
      await join(other());
      assert.equal(browser.requests[0].headers['Prefer'], 'handling=lenient');
      browser.socket.say('PARTICIPANT_UNPUBLISHED', { id: 'her' });
      await clock.pass(2000);
      assert.deepEqual(browser.asked, ['POST her']);
      assert.ok(!seen().some((e) => e.startsWith('ERROR')));
    });
  }
});

test('what is received goes on until the connection that has more is up', async (t) => {
  const { seen, join } = setUp(t);
  await join(other({ hasVideo: false }));
  browser.pc.become('connected');
  await settle();
  seen();
  browser.socket.say('PARTICIPANT_PUBLISHED', other());
  await settle();
  assert.deepEqual([seen(), browser.pcs.map((pc) => pc.connectionState)], [[], ['connected', 'new']]);
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(seen(), ['STREAMS_REMOVED her audio', 'STREAMS_ADDED her audio+video']);
  assert.equal(browser.pcs[0].connectionState, 'closed');
});

test('a track that came and was not there yet is subscribed to later', async (t) => {
  const { seen, join } = setUp(t);
  browser.answers = [{ ...created(), body: created().body.replace('m=video 9', 'm=video 0') }, created()];
  await join(other());
  await settle();
  assert.deepEqual(seen().filter((e) => e.startsWith('STREAMS')), ['STREAMS_ADDED her audio', 'STREAMS_REMOVED her audio', 'STREAMS_ADDED her audio+video']);
});

test('who is not on the list is not there', async (t) => {
  const { seen, join } = setUp(t);
  await join(other(silent), { ...other(silent), id: 'him', userId: 'him' });
  seen();
  browser.socket.say('STAGE_STATE', { stageId: 'stage', participants: [other(silent)] });
  assert.deepEqual(seen(), ['LEFT him']);
  browser.socket.say('PARTICIPANT_UPDATED', other({ ...silent, attributes: { role: 'host' } }));
  browser.socket.say('PARTICIPANT_UPDATED', other({ ...silent, attributes: { role: 'host' } }));
  browser.socket.say('PARTICIPANT_LEFT', { id: 'her' });
  browser.socket.say('PARTICIPANT_LEFT', { id: 'nobody' });
  browser.socket.say('SOMETHING_OF_A_LATER_VERSION', {});
  assert.deepEqual(seen(), ['METADATA_CHANGED her', 'LEFT her']);
});

test('mute goes both ways', async (t) => {
  const { wishes, seen, join } = setUp(t);
  const microphone = new LocalStageStream(track('audio'));
  wishes.publish = [microphone];
  await join(other());
  seen();
  microphone.setMuted(true);
  microphone.setMuted(true);
  assert.equal(microphone.mediaStreamTrack.enabled, false);
  assert.deepEqual(browser.socket.said('MUTE').at(-1), { audioMuted: true, videoStopped: false });
  browser.socket.say('MUTE_CHANGED', { id: 'her', audioMuted: false, videoStopped: true });
  assert.deepEqual(seen(), ['MUTE_CHANGED me audio', 'MUTE_CHANGED her video']);
});

test('another track of the same form is put into the connection; another form takes a new one', async (t) => {
  const { stage, wishes, join } = setUp(t);
  const first = new LocalStageStream(track('video'));
  wishes.publish = [first];
  await join();
  const second = new LocalStageStream(track('video'), { maxBitrate: 500 });
  wishes.publish = [second];
  stage.refreshStrategy();
  await settle();
  const [{ sender }] = browser.pc.getTransceivers();
  assert.equal(sender.track, second.mediaStreamTrack);
  assert.equal(sender.parameters.encodings[0].maxBitrate, 500_000);
  assert.deepEqual(browser.asked, ['POST whip']);
  wishes.publish = [second, new LocalStageStream(track('audio'))];
  stage.refreshStrategy();
  await settle();
  wishes.publish = [new LocalStageStream(track('video'), { simulcast: { enabled: true } }), wishes.publish[1]];
  stage.refreshStrategy();
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip', 'POST whip'], 'the server puts one in the place of the other');
  assert.deepEqual(browser.pcs.map((pc) => pc.connectionState), ['closed', 'closed', 'new']);
  assert.deepEqual(browser.pc.getTransceivers()[1].sender.parameters.encodings.map((e) => e.rid), ['low', 'hi']);
});

test('a change while a publication is being made waits for its answer, and takes its place', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  const [camera, microphone] = [new LocalStageStream(track('video')), new LocalStageStream(track('audio'))];
  const first = later();
  browser.answers = [first.promise];
  wishes.publish = [camera];
  await join();
  for (const wish of [[camera, microphone], [microphone], [microphone, camera]]) {
    wishes.publish = wish;
    stage.refreshStrategy();
    await settle();
  }
  assert.deepEqual(browser.asked, ['POST whip'], 'two offers could overtake each other');
  first.resolve(created());
  await settle();
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip'], 'nothing is deleted, and what was wanted in between is left out');
  assert.deepEqual(browser.pcs.map((pc) => pc.getTransceivers().map((t) => t.sender.track?.kind)), [['video'], ['audio', 'video']]);
  assert.deepEqual(browser.pcs.map((pc) => pc.connectionState), ['closed', 'connected']);
  assert.deepEqual(seen().filter((e) => e.startsWith('PUBLISH')), ['PUBLISH_STATE_CHANGED me attemptingPublish', 'PUBLISH_STATE_CHANGED me published']);
});

test('a refusal of what is not wanted any more is no error', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  const first = later();
  browser.answers = [first.promise];
  wishes.publish = [new LocalStageStream(track('video'))];
  await join();
  wishes.publish = [new LocalStageStream(track('audio'))];
  stage.refreshStrategy();
  first.resolve({ status: 422, body: 'no codec' });
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip']);
  assert.deepEqual(seen().filter((e) => e.startsWith('ERROR')), []);
});

test('what is published again while the end of it is under way is replaced and not deleted', async (t) => {
  const { stage, wishes, join } = setUp(t);
  const first = later();
  browser.answers = [first.promise];
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  const { publish } = wishes;
  for (const wish of [[], publish]) {
    wishes.publish = wish;
    stage.refreshStrategy();
  }
  await settle();
  first.resolve(created());
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip']);
});

test('who leaves and joins again offers nothing before the offer of the visit before is answered', async (t) => {
  const { stage, wishes, join } = setUp(t);
  const first = later();
  browser.answers = [first.promise];
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  stage.leave();
  await join();
  assert.deepEqual(browser.asked, ['POST whip']);
  first.resolve(created());
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'DELETE one', 'POST whip']);
});

test('publications are numbered, so that a late one is not taken for the newest', async (t) => {
  const { clock, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  browser.answers = [{ status: 409, body: 'the page has a newer publication already' }];
  await join();
  await clock.pass(300);
  const numbers = browser.requests.map(({ headers }) => /^([\w-]{1,64})\.(\d+)$/.exec(headers['Rivus-Publication']));
  assert.deepEqual(numbers.map((n) => n[2]), ['1', '2']);
  assert.equal(numbers[0][1], numbers[1][1]);
  assert.deepEqual(seen().filter((e) => e.startsWith('ERROR')), []);
});

test('a publication goes on until the one that replaces it is up', async (t) => {
  const { clock, stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  browser.pc.become('connected');
  await settle();
  wishes.publish = [...wishes.publish, new LocalStageStream(track('video'))];
  seen();
  stage.refreshStrategy();
  await clock.pass(9000);
  assert.deepEqual(browser.pcs.map((pc) => pc.connectionState), ['connected', 'new']);
  await clock.pass(2000);
  assert.deepEqual(browser.pcs.map((pc) => pc.connectionState), ['connected', 'closed', 'new'], 'media does not get through: once more');
  assert.deepEqual(seen().filter((e) => !e.startsWith('CONNECTION')), ['STREAMS_ADDED me video']);
  browser.pcs[0].become('closed');
  await settle();
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me attemptingPublish'], 'the older one has ended before');
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(browser.pcs.map((pc) => pc.connectionState), ['closed', 'closed', 'connected']);
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me published']);
  stage.leave();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip', 'POST whip', 'DELETE one']);
});

for (const end of ['unpublished', 'left']) {
  test(`a device that is being swapped when everything is ${end} is swapped for nothing`, async (t) => {
    for (const begun of [false, true]) {
      await t.test(`begun: ${begun}`, async (t) => {
        const { clock, stage, wishes, seen, join } = setUp(t);
        wishes.publish = [new LocalStageStream(track('video'))];
        await join();
        browser.pc.become('connected');
        await settle();
        const swap = later();
        browser.pc.swapping = swap.promise;
        wishes.publish = [new LocalStageStream(track('video'))];
        stage.refreshStrategy();
        if (begun) await settle();
        wishes.publish = [];
        if (end === 'left') stage.leave();
        else stage.refreshStrategy();
        await settle();
        swap.resolve();
        await clock.pass(1000);
        assert.deepEqual(browser.asked, ['POST whip', 'DELETE one']);
        assert.deepEqual(seen().filter((e) => e.startsWith('ERROR')), []);
      });
    }
  });
}

test('swaps follow each other, and the last one counts', async (t) => {
  const { stage, wishes, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('video'))];
  await join();
  browser.pc.become('connected');
  await settle();
  const swap = later();
  browser.pc.swapping = swap.promise;
  const cameras = [1, 2, 3].map((n) => new LocalStageStream(track('video'), { maxBitrate: 100 * n }));
  for (const camera of cameras) {
    wishes.publish = [camera];
    stage.refreshStrategy();
    await settle();
  }
  swap.resolve();
  await settle();
  const [{ sender }] = browser.pc.getTransceivers();
  assert.deepEqual([sender.track, sender.parameters.encodings[0].maxBitrate], [cameras[2].mediaStreamTrack, 300_000]);
  assert.deepEqual(browser.asked, ['POST whip']);
});

test('messages go into the video of the camera that was swapped in', async (t) => {
  const { stage, wishes, join } = setUp(t);
  t.after(() => Object.assign(globalThis, { RTCRtpScriptTransform: undefined, Worker: undefined }));
  globalThis.Worker = class {
    terminate() {}
  };
  let port;
  globalThis.RTCRtpScriptTransform = class {
    constructor(worker, options) {
      ({ port } = options);
    }
  };
  const camera = () => new LocalStageStream(track('video'), { inBandMessaging: { enabled: true } });
  const [first, second] = [camera(), camera()];
  wishes.publish = [first];
  await join();
  wishes.publish = [second];
  stage.refreshStrategy();
  await settle();
  const insert = (stream) => {
    stream.insertSeiMessage(new ArrayBuffer(3));
    return receiveMessageOnPort(port)?.message.payload.byteLength;
  };
  assert.deepEqual([insert(second), insert(first), browser.asked], [3, undefined, ['POST whip']]);
});

test('a swap that fails takes a new connection', async (t) => {
  const { stage, wishes, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('video'))];
  await join();
  browser.pc.become('connected');
  await settle();
  browser.pc.swapping = Promise.reject(new TypeError('another size'));
  wishes.publish = [new LocalStageStream(track('video'))];
  stage.refreshStrategy();
  await settle();
  assert.deepEqual(browser.asked, ['POST whip', 'POST whip']);
  assert.equal(browser.pc.getTransceivers()[0].sender.track, wishes.publish[0].mediaStreamTrack);
});

test('a refused publication is an error until the strategy is refreshed', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  browser.answers = [{ status: 429, body: 'the stage is full' }];
  await join();
  assert.deepEqual(seen().slice(-2), ['PUBLISH_STATE_CHANGED me errored', `ERROR ${StageErrorCode.STAGE_AT_CAPACITY}`]);
  stage.refreshStrategy();
  await settle();
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me attemptingPublish', 'PUBLISH_STATE_CHANGED me published']);
  browser.socket.say('ERROR', { code: 'BITRATE_EXCEEDED', message: 'too much', request: 'PUBLISH' });
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me errored', `ERROR ${StageErrorCode.FAILED}`]);
});

test('what the token does not allow is not tried', async (t) => {
  const { wishes, join } = setUp(t, { claims: { capabilities: {} } });
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join(other());
  assert.deepEqual(browser.asked, []);
});

test('a lost socket is opened again and told what it missed', async (t) => {
  const { clock, wishes, seen, join } = setUp(t);
  wishes.subscribe = SubscribeType.AUDIO_ONLY;
  await join(other());
  seen();
  browser.socket.end(1006);
  assert.equal(browser.sockets.length, 1);
  await clock.pass(300);
  assert.equal(browser.sockets.length, 2);
  browser.socket.welcome();
  assert.deepEqual(browser.socket.said('MUTE'), [{ audioMuted: false, videoStopped: false }]);
  assert.deepEqual(browser.socket.said('PAUSE'), [{ id: 'her', audio: false, video: true }]);
  assert.deepEqual(seen(), ['CONNECTION_STATE_CHANGED errored', 'CONNECTION_STATE_CHANGED connected', 'STREAMS_REMOVED her audio', 'SUBSCRIBE_STATE_CHANGED her notSubscribed', 'LEFT her']);
});

test('a server that says nothing any more is left for another try', async (t) => {
  const { clock, seen, join } = setUp(t);
  await join();
  seen();
  await clock.pass(2500);
  browser.socket.say('PONG');
  assert.equal(browser.socket.said('PING').length, 1);
  await clock.pass(10_500);
  assert.deepEqual([seen(), browser.sockets.length], [['CONNECTION_STATE_CHANGED errored'], 2]);
});

test('after half a minute without the server the stage is left', async (t) => {
  const { clock, seen, join } = setUp(t);
  await join();
  seen();
  browser.socket.end(1006);
  for (let i = 0; i < 40; i++) {
    await clock.pass(1000);
    if (browser.socket.readyState === 0) browser.socket.end(1006);
  }
  assert.ok(browser.sockets.length > 5);
  assert.deepEqual(seen(), [
    'CONNECTION_STATE_CHANGED errored', 'LEFT me', 'CONNECTION_STATE_CHANGED disconnected', `ERROR ${StageErrorCode.TIMEOUT}`, `LEFT ${StageLeftReason.CONNECTION_LOST}`,
  ]);
});

const endings = [
  [4001, 'REPLACED', '', StageErrorCode.FAILED, StageLeftReason.PARTICIPANT_REPLACED],
  [4002, 'PARTICIPANT_DISCONNECTED', 'bye', StageErrorCode.PARTICIPANT_DISCONNECTED, StageLeftReason.PARTICIPANT_DISCONNECTED],
  [4003, 'STAGE_DELETED', '', StageErrorCode.STAGE_DELETED, StageLeftReason.STAGE_DELETED],
  [4401, 'TOKEN_REFUSED', 'expired', StageErrorCode.TOKEN_EXPIRED, StageLeftReason.TOKEN_REFUSED],
  [4401, 'TOKEN_REFUSED', 'wrong signature', StageErrorCode.TOKEN_MALFORMED, StageLeftReason.TOKEN_REFUSED],
  [4403, 'TOKEN_REFUSED', 'participant was disconnected', StageErrorCode.PARTICIPANT_DISCONNECTED, StageLeftReason.PARTICIPANT_DISCONNECTED],
  [4404, 'TOKEN_REFUSED', 'unknown stage', StageErrorCode.STAGE_DELETED, StageLeftReason.STAGE_DELETED],
  [4429, 'STAGE_FULL', '', StageErrorCode.STAGE_AT_CAPACITY, StageLeftReason.CONNECTION_LOST],
];

test('final ends are told on the stage', async (t) => {
  for (const [close, reason, message, code, left] of endings) {
    await t.test(`${close} ${message}`, async (t) => {
      const { clock, seen, join } = setUp(t);
      await join();
      seen();
      browser.socket.end(close, reason, message);
      await clock.pass(60_000);
      assert.deepEqual(seen(), ['LEFT me', 'CONNECTION_STATE_CHANGED disconnected', `ERROR ${code}`, `LEFT ${left}`]);
      assert.equal(browser.sockets.length, 1, 'no other try');
    });
  }
});

test('final ends reject the join', async (t) => {
  for (const [close, reason, message, code] of endings) {
    await t.test(`${close} ${message}`, async (t) => {
      const { stage, seen } = setUp(t);
      const joined = stage.join();
      browser.socket.open();
      browser.socket.end(close, reason, message);
      await assert.rejects(joined, { code, category: 'JOIN_ERROR' });
      assert.deepEqual(seen(), ['CONNECTION_STATE_CHANGED connecting', 'CONNECTION_STATE_CHANGED disconnected', `ERROR ${code}`]);
    });
  }
});

test('a browser that does not let the page open the socket rejects the join', async (t) => {
  const { stage } = setUp(t);
  globalThis.WebSocket = class {
    constructor() {
      throw new Error('mixed content');
    }
  };
  await assert.rejects(stage.join(), { code: StageErrorCode.FAILED, message: 'mixed content' });
});

test('a join that is left is canceled, and the stage can be joined again', async (t) => {
  const { stage, seen, join } = setUp(t);
  const joined = stage.join();
  assert.equal(stage.join(), joined, 'there is one join at a time');
  stage.leave();
  await assert.rejects(joined, { code: StageErrorCode.CANCELED });
  seen();
  await join();
  assert.deepEqual(seen(), ['CONNECTION_STATE_CHANGED connecting', 'CONNECTION_STATE_CHANGED connected', 'JOINED me']);
});

test('ICE is restarted on the session that there is', async (t) => {
  const { seen, join } = setUp(t);
  await join(other());
  browser.pc.become('connected');
  await settle();
  seen();
  browser.answers = [restarted];
  browser.pc.become('connected', 'disconnected');
  await settle();
  assert.equal(browser.requests.at(-1).headers['If-Match'], '*');
  assert.match(browser.requests.at(-1).body, /^a=ice-ufrag:bbbb\r\n/);
  assert.match(browser.pc.remoteDescription.sdp, /a=ice-ufrag:tttt/);
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(seen(), ['SUBSCRIBE_STATE_CHANGED her attemptingSubscribe', 'SUBSCRIBE_STATE_CHANGED her subscribed']);
  assert.deepEqual(browser.asked, ['POST her', 'PATCH one']);
});

test('a restart is tried while the network is away', async (t) => {
  const { clock, join } = setUp(t);
  await join(other());
  browser.pc.become('connected');
  await settle();
  browser.answers = [new TypeError('network'), new TypeError('network'), restarted];
  browser.pc.become('connected', 'disconnected');
  await clock.pass(2000);
  browser.pc.become('connected');
  await clock.pass(10_000);
  assert.deepEqual(browser.asked, ['POST her', 'PATCH one', 'PATCH one', 'PATCH one']);
});

test('a session that the server has forgotten is replaced by a new one', async (t) => {
  const { clock, seen, join } = setUp(t);
  await join(other());
  browser.pc.become('connected');
  await settle();
  seen();
  browser.answers = [{ status: 404, body: '' }, created()];
  browser.pc.become('connected', 'disconnected');
  await clock.pass(300);
  browser.pc.become('connected');
  await settle();
  assert.deepEqual(browser.asked, ['POST her', 'PATCH one', 'POST her']);
  assert.deepEqual(seen(), [
    'SUBSCRIBE_STATE_CHANGED her attemptingSubscribe', 'STREAMS_REMOVED her audio+video', 'STREAMS_ADDED her audio+video', 'SUBSCRIBE_STATE_CHANGED her subscribed',
  ]);
});

test('a connection that the server closes is made anew at once, without a restart', async (t) => {
  const { clock, join } = setUp(t);
  await join(other());
  browser.pc.become('connected');
  await settle();
  browser.pc.become('connected', 'connected', 'closed');
  await clock.pass(300);
  assert.deepEqual(browser.asked, ['POST her', 'POST her']);
});

test('media that cannot get through is given up after half a minute', async (t) => {
  const { clock, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  seen();
  for (let i = 0; i < 60; i++) {
    browser.socket.say('PONG'); // the socket lives
    await clock.pass(1000);
  }
  assert.deepEqual(seen(), ['PUBLISH_STATE_CHANGED me errored', `ERROR ${StageErrorCode.TIMEOUT}`]);
});

test('what is left before it is offered is not offered, and after that is undone', async (t) => {
  for (const offered of [false, true]) {
    await t.test(`offered: ${offered}`, async (t) => {
      const { stage, wishes } = setUp(t);
      wishes.publish = [new LocalStageStream(track('audio'))];
      const answer = later();
      browser.answers = [answer.promise];
      const joined = stage.join();
      browser.socket.welcome();
      if (offered) await settle();
      stage.leave();
      await assert.doesNotReject(joined);
      answer.resolve(created());
      await settle();
      assert.deepEqual(browser.asked, offered ? ['POST whip', 'DELETE one'] : []);
      assert.ok(browser.pcs.every((pc) => pc.connectionState === 'closed'));
    });
  }
});

test('the server is told of the end before the connection is closed, and no track is sent meanwhile', async (t) => {
  const { stage, wishes, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  browser.pc.become('connected');
  await settle();
  stage.leave();
  const [{ sender }] = browser.pc.getTransceivers();
  assert.deepEqual([browser.asked.at(-1), sender.track, browser.pc.connectionState], ['DELETE one', null, 'connected']);
  await settle();
  assert.equal(browser.pc.connectionState, 'closed');
});

test('what the server has ended is not ended once more', async (t) => {
  const ends = {
    'she publishes no more': () => browser.socket.say('PARTICIPANT_UNPUBLISHED', { id: 'her' }),
    'she has left': () => browser.socket.say('PARTICIPANT_LEFT', { id: 'her' }),
    'she is not on the list': () => browser.socket.say('STAGE_STATE', { stageId: 'stage', participants: [] }),
    'a limit was exceeded': () => browser.socket.say('ERROR', { code: 'STREAM_DURATION_EXCEEDED', message: 'too long', request: 'SUBSCRIBE', id: 'her' }),
    'we were removed': () => browser.socket.end(4002, 'PARTICIPANT_DISCONNECTED'),
    'the stage was deleted': () => browser.socket.end(4003, 'STAGE_DELETED'),
    'we have joined elsewhere': () => browser.socket.end(4001, 'REPLACED'),
  };
  for (const [what, end] of Object.entries(ends)) {
    for (const answered of [true, false]) {
      await t.test(`${what}, ${answered ? 'connected' : 'while the offer is not answered'}`, async (t) => {
        const { join } = setUp(t);
        const answer = later();
        if (!answered) browser.answers = [answer.promise];
        await join(other());
        if (answered) browser.pc.become('connected');
        end();
        answer.resolve(created());
        await settle();
        assert.deepEqual(browser.asked, ['POST her']);
        assert.equal(browser.pc.connectionState, 'closed');
      });
    }
  }
});

test('layers are told, preferred and given up', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  await join(other({ layers: layers(0, 0) }));
  browser.pc.become('connected');
  await settle();
  seen();
  browser.socket.say('LAYERS_CHANGED', { id: 'her', layers: layers(100, 0) });
  browser.socket.say('LAYERS_CHANGED', { id: 'her', layers: layers(120, 0) });
  browser.socket.say('LAYER_SELECTED', { id: 'her', label: 'low', on: true });
  assert.deepEqual(seen(), ['LAYERS_CHANGED her video low+mid', 'LAYER_SELECTED her video low network']);
  wishes.layer = 'mid';
  stage.refreshStrategy();
  stage.refreshStrategy();
  browser.socket.say('LAYER_SELECTED', { id: 'her', label: 'mid', on: true });
  wishes.layer = { label: 'hi' };
  stage.refreshStrategy();
  wishes.layer = null;
  stage.refreshStrategy();
  assert.deepEqual(seen(), [
    'ADAPTION_CHANGED her video false', 'LAYER_SELECTED her video mid preferred', 'LAYER_SELECTED her video mid unavailable', 'ADAPTION_CHANGED her video true',
  ]);
  assert.deepEqual(browser.socket.said('SELECT_LAYER').map((m) => m.layer), ['mid', '']);
});

test('a preferred layer is asked for once there is one of that name', async (t) => {
  const { wishes, join } = setUp(t);
  wishes.layer = 'hi';
  await join(other());
  assert.deepEqual(browser.socket.said('SELECT_LAYER'), []);
  browser.socket.say('PARTICIPANT_PUBLISHED', other({ layers: layers(1, 1, 1) }));
  assert.deepEqual(browser.socket.said('SELECT_LAYER'), [{ id: 'her', layer: 'hi' }]);
});

test('the highest layer is asked for at first, then left to the network', async (t) => {
  const { wishes, join } = setUp(t);
  wishes.config = { simulcast: { initialLayerPreference: 'highestQuality' } };
  await join(other({ layers: layers(1, 1, 1) }));
  assert.deepEqual(browser.socket.said('SELECT_LAYER'), [{ id: 'her', layer: 'hi' }]);
  browser.socket.say('LAYER_SELECTED', { id: 'her', label: 'hi', on: true });
  assert.deepEqual(browser.socket.said('SELECT_LAYER').at(-1), { id: 'her', layer: '' });
});

test('the highest layer is not asked for beyond what the network carries', async (t) => {
  const { clock, wishes, join } = setUp(t);
  wishes.config = { simulcast: { initialLayerPreference: 'highestQuality' } };
  await join(other({ layers: layers(1, 1) }));
  for (let i = 0; i < 5; i++) {
    await clock.pass(1000);
    browser.socket.say('LAYERS_CHANGED', { id: 'her', layers: layers(1, 1) });
  }
  assert.deepEqual(browser.socket.said('SELECT_LAYER').map((m) => m.layer), ['mid', '']);
});

test('received media is held back only while nothing is published', async (t) => {
  const { stage, wishes, join } = setUp(t);
  wishes.config = { jitterBuffer: { minDelay: 200 } };
  await join(other());
  const [{ receiver }] = browser.pc.getTransceivers();
  assert.equal(receiver.jitterBufferTarget, 200);
  wishes.publish = [new LocalStageStream(track('audio'))];
  stage.refreshStrategy();
  await settle();
  browser.pc.become('connected');
  await settle();
  assert.equal(receiver.jitterBufferTarget, null);
});

test('a token is exchanged for one of the same participant', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  await join();
  seen();
  await assert.rejects(stage.exchangeToken(token({ jti: 'somebody else' })), { code: StageErrorCode.TOKEN_EXCHANGE_FAILED });
  const failed = stage.exchangeToken(token({ user_id: 'x' }));
  browser.socket.say('ERROR', { code: 'TOKEN_EXCHANGE_FAILED', message: 'expired', request: 'EXCHANGE_TOKEN' });
  await assert.rejects(failed, { code: StageErrorCode.TOKEN_EXCHANGE_FAILED, message: 'expired' });
  const next = token({ user_id: 'new me', capabilities: { allow_subscribe: true } });
  const done = stage.exchangeToken(next);
  assert.deepEqual(browser.socket.said('EXCHANGE_TOKEN').at(-1), { token: next });
  browser.socket.say('TOKEN_EXCHANGED', { id: 'me' });
  await done;
  assert.deepEqual(seen(), ['METADATA_CHANGED new me', 'STREAMS_REMOVED new me audio', 'PUBLISH_STATE_CHANGED new me notPublished'], 'a lost capability counts at once');
  browser.socket.end(1001);
  await settle();
});

test('an exchange that nobody answers fails', async (t) => {
  const { clock, stage, join } = setUp(t);
  await join();
  const failed = stage.exchangeToken(token({ user_id: 'x' }));
  const rejected = assert.rejects(failed, { code: StageErrorCode.TOKEN_EXCHANGE_FAILED });
  for (let i = 0; i < 11; i++) {
    browser.socket.say('PONG');
    await clock.pass(1000);
  }
  await rejected;
});

test('an application that refreshes and leaves inside of its listeners does no harm', async (t) => {
  const { stage, wishes, seen, join } = setUp(t);
  wishes.publish = [new LocalStageStream(track('audio'))];
  stage.on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, () => stage.refreshStrategy());
  stage.on(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, () => stage.leave());
  await join(other());
  await settle();
  assert.equal(seen().at(-1), `LEFT ${StageLeftReason.USER_INITIATED}`);
  assert.equal(browser.asked.filter((a) => a.startsWith('POST')).length, browser.asked.filter((a) => a.startsWith('DELETE')).length);
});

test('a strategy that throws changes nothing', async (t) => {
  t.mock.method(console, 'error', () => {});
  let broken = false;
  const { stage, seen, join } = setUp(t, {
    shouldSubscribeToParticipant: () => {
      if (broken) throw new Error('an application that fails');
      return SubscribeType.AUDIO_VIDEO;
    },
  });
  await join(other());
  seen();
  broken = true;
  stage.refreshStrategy();
  assert.deepEqual(seen(), []);
});

test('SEI messages have limits', () => {
  const plain = new LocalStageStream(track('video'));
  assert.throws(() => plain.insertSeiMessage(new ArrayBuffer(1)), /not enabled/);
  const stream = new LocalStageStream(track('video'), { inBandMessaging: { enabled: true } });
  for (const [length, repeatCount] of [[0, 0], [1024, 0], [1, 31], [1, -1], [1, 1.5]]) {
    assert.throws(() => stream.insertSeiMessage(new ArrayBuffer(length), { repeatCount }), RangeError);
  }
  for (let i = 0; i < 10; i++) stream.insertSeiMessage(new ArrayBuffer(1023));
  assert.throws(() => stream.insertSeiMessage(new ArrayBuffer(1023)), /10 KB/);
});
