// Drives the real-time operations with the AWS SDK for JavaScript v3, each to success and to the errors that a caller can
// bring about from outside. What needs a broken store or a running recording is in the contract tests of the service.
//
// The environment names the server (RIVUS_URL), its root key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), a second server
// that enforces quotas (RIVUS_QUOTAS_URL and RIVUS_QUOTAS_KEY, its root key as id:secret), and a stage with a participant
// that is connected (RIVUS_LIVE_STAGE, RIVUS_LIVE_PARTICIPANT).
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import * as sdk from '@aws-sdk/client-ivs-realtime';

const endpoint = process.env.RIVUS_URL;
const live = { stageArn: process.env.RIVUS_LIVE_STAGE, participantId: process.env.RIVUS_LIVE_PARTICIPANT };
const region = 'us-west-2';
const client = new sdk.IVSRealTimeClient({ endpoint, region, maxAttempts: 1 });
after(() => client.destroy());

// What has been seen, held against the list of what there is at the end.
const answered = new Set();
const refusals = new Set();

/** call sends one command, named as in the API. */
async function call(operation, input = {}, through = client) {
  const out = await through.send(new sdk[`${operation}Command`](input));
  answered.add(operation);
  return out;
}

const statuses = {
  ValidationException: 400, AccessDeniedException: 403, ResourceNotFoundException: 404, ConflictException: 409,
  ServiceQuotaExceededException: 402,
};

/** refused expects a modelled error: its class, status and text must reach the caller. */
async function refused(name, operation, input = {}, through = client) {
  await assert.rejects(through.send(new sdk[`${operation}Command`](input)), (e) => {
    assert.ok(e instanceof sdk[name], `${operation}: ${e.name}, want ${name}`);
    assert.equal(e.$metadata.httpStatusCode, statuses[name]);
    assert.match(e.$metadata.requestId, /^[0-9a-f]{8}-/);
    assert.ok(e.exceptionMessage, 'the modelled member is there');
    assert.equal(e.message, e.exceptionMessage);
    assert.equal(e.accessControlAllowOrigin, '*', 'so are the modelled headers');
    return true;
  });
  refusals.add(`${operation} ${name}`);
}

const elsewhere = (arn) => arn.replace(/:\d{12}:/, ':444455556666:');
const missing = (arn) => arn.replace(/.{12}$/, 'doesNotExist');
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** offers posts something that is no offer to a WHIP endpoint: 400 says that the token is good. */
const offers = async (url, token) =>
  (await fetch(url, { method: 'POST', body: 'v=0', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp' } })).status;

test('a stage from its creation to its end', async () => {
  const made = await call('CreateStage', {
    name: 'js', tags: { team: 'js' },
    participantTokenConfigurations: [{ userId: 'alice', attributes: { role: 'host' } }, { capabilities: ['SUBSCRIBE'], duration: 5 }],
  });
  const { arn } = made.stage;
  const id = arn.split('/')[1];
  assert.match(arn, new RegExp(`^arn:aws:ivs:${region}:\\d{12}:stage/[A-Za-z0-9]{12}$`));
  assert.equal(made.stage.endpoints.whip, `${endpoint}/rt/whip`);
  assert.equal(made.stage.endpoints.events, `${endpoint.replace('http', 'ws')}/rt/events`);
  assert.equal(made.stage.activeSessionId, undefined);
  assert.deepEqual(made.stage.autoParticipantRecordingConfiguration, {
    storageConfigurationArn: '', mediaTypes: ['AUDIO_VIDEO'], recordingReconnectWindowSeconds: 0, recordParticipantReplicas: true,
    hlsConfiguration: { targetSegmentDurationSeconds: 6 },
    thumbnailConfiguration: { recordingMode: 'DISABLED', storage: ['SEQUENTIAL'], targetIntervalSeconds: 60 },
  });
  const [alice, viewer] = made.participantTokens;
  assert.deepEqual(claimsOf(alice.token).capabilities, { allow_publish: true, allow_subscribe: true });
  assert.deepEqual(claimsOf(viewer.token).capabilities, { allow_publish: false, allow_subscribe: true });
  assert.deepEqual([claimsOf(alice.token).jti, claimsOf(alice.token).topic], [alice.participantId, id]);
  assert.equal(viewer.expirationTime - 0, claimsOf(viewer.token).exp * 1000);

  assert.deepEqual((await call('GetStage', { arn })).stage, made.stage);
  const renamed = await call('UpdateStage', { arn, name: 'js-renamed' });
  assert.equal(renamed.stage.name, 'js-renamed');
  const { participantToken } = await call('CreateParticipantToken', { stageArn: arn, userId: 'bob', attributes: { a: 'ü' } });
  assert.deepEqual(claimsOf(participantToken.token).attributes, { a: 'ü' });
  assert.equal(participantToken.duration, 720);
  assert.equal(await offers(made.stage.endpoints.whip, participantToken.token), 400);
  await call('DisconnectParticipant', { stageArn: arn, participantId: participantToken.participantId, reason: 'enough' });
  assert.equal(await offers(made.stage.endpoints.whip, participantToken.token), 403);

  assert.deepEqual((await call('ListStageSessions', { stageArn: arn })).stageSessions, []);
  await call('DeleteStage', { arn });
  await refused('ResourceNotFoundException', 'GetStage', { arn });
  assert.equal(await offers(made.stage.endpoints.whip, alice.token), 404);
});

test('a participant that is connected', async () => {
  const { stageArn, participantId } = live;
  const { stage } = await call('GetStage', { arn: stageArn });
  const sessionId = stage.activeSessionId;
  assert.match(sessionId, /^st-[A-Za-z0-9]{13}$/);
  const { stageSession } = await call('GetStageSession', { stageArn, sessionId });
  assert.ok(stageSession.startTime instanceof Date && stageSession.endTime === undefined);
  const { stageSessions } = await call('ListStageSessions', { stageArn });
  assert.deepEqual(stageSessions, [stageSession]);
  const { participant } = await call('GetParticipant', { stageArn, sessionId, participantId });
  assert.equal(participant.state, 'CONNECTED');
  assert.equal(participant.userId, 'live');
  assert.ok(participant.firstJoinTime instanceof Date);

  const listed = async (filter) => (await call('ListParticipants', { stageArn, sessionId, ...filter })).participants.map((p) => p.participantId);
  for (const filter of [{}, { filterByUserId: 'live' }, { filterByPublished: false }, { filterByState: 'CONNECTED' }]) {
    assert.deepEqual(await listed(filter), [participantId], JSON.stringify(filter));
  }
  for (const filter of [
    { filterByUserId: 'nobody' }, { filterByPublished: true }, { filterByState: 'DISCONNECTED' }, { filterByRecordingState: 'ACTIVE' },
  ]) {
    assert.deepEqual(await listed(filter), [], JSON.stringify(filter));
  }
  const { events } = await call('ListParticipantEvents', { stageArn, sessionId, participantId });
  assert.deepEqual(events.map((e) => e.name), ['JOINED']);

  const key = { stageArn, sessionId, participantId };
  for (const [operation, input] of [
    ['GetStageSession', { stageArn, sessionId }], ['ListStageSessions', { stageArn }], ['GetParticipant', key], ['ListParticipants', { stageArn, sessionId }],
    ['ListParticipantEvents', key], ['DisconnectParticipant', { stageArn, participantId }],
  ]) {
    await refused('AccessDeniedException', operation, { ...input, stageArn: elsewhere(stageArn) });
    await refused('ValidationException', operation, { ...input, stageArn: 'nonsense' });
  }
  await refused('ValidationException', 'ListParticipants', { stageArn, sessionId, filterByState: 'CONNECTED', filterByUserId: 'live' });
  await refused('ResourceNotFoundException', 'GetStageSession', { stageArn, sessionId: 'st-0000000000000' });
  await refused('ResourceNotFoundException', 'GetParticipant', { ...key, participantId: 'nobody' });
  await refused('ResourceNotFoundException', 'DisconnectParticipant', { stageArn: missing(stageArn), participantId });

  await call('DisconnectParticipant', { stageArn, participantId });
  assert.equal((await call('GetParticipant', key)).participant.state, 'DISCONNECTED');
});

test('a key that signs tokens elsewhere', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const publicKeyMaterial = publicKey.export({ type: 'spki', format: 'pem' });
  const made = (await call('ImportPublicKey', { publicKeyMaterial, name: 'js', tags: { a: 'b' } })).publicKey;
  assert.equal(made.fingerprint.split(':').length, 16);
  assert.deepEqual((await call('GetPublicKey', { arn: made.arn })).publicKey, made);
  assert.deepEqual((await call('ListPublicKeys')).publicKeys, [{ arn: made.arn, name: 'js', tags: { a: 'b' } }]);

  const { stage } = await call('CreateStage');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    exp: now + 3600, iat: now, jti: 'self_signed-1', resource: stage.arn, topic: stage.arn.split('/')[1], events_url: stage.endpoints.events,
    whip_url: stage.endpoints.whip, user_id: 'carol', attributes: {}, capabilities: { allow_publish: true }, version: '1.0',
  };
  const part = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const token = (dsaEncoding) => {
    const text = `${part({ alg: 'ES384', typ: 'JWT', kid: made.arn })}.${part(claims)}`;
    return `${text}.${sign('sha384', text, { key: privateKey, dsaEncoding }).toString('base64url')}`;
  };
  assert.equal(await offers(stage.endpoints.whip, token('ieee-p1363')), 400, 'the form of JOSE is good');
  assert.equal(await offers(stage.endpoints.whip, token('der')), 401);

  await refused('ConflictException', 'ImportPublicKey', { publicKeyMaterial });
  await refused('ValidationException', 'ImportPublicKey', { publicKeyMaterial: publicKeyMaterial.replace('PUBLIC', 'PRIVATE') });
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' });
  await refused('ValidationException', 'ImportPublicKey', { publicKeyMaterial: p256 });
  for (const operation of ['GetPublicKey', 'DeletePublicKey']) {
    await refused('AccessDeniedException', operation, { arn: elsewhere(made.arn) });
    await refused('ValidationException', operation, { arn: stage.arn });
    await refused('ResourceNotFoundException', operation, { arn: missing(made.arn) });
  }
  await refused('ValidationException', 'ListPublicKeys', { maxResults: 101 });
  await call('DeletePublicKey', { arn: made.arn });
  assert.equal(await offers(stage.endpoints.whip, token('ieee-p1363')), 401, 'a deleted key proves nothing');
});

test('a storage configuration and the stage that refers to it', async () => {
  const { storageConfiguration: made } = await call('CreateStorageConfiguration', { name: 'js', s3: { bucketName: 'bucket.of-js' } });
  assert.deepEqual((await call('GetStorageConfiguration', { arn: made.arn })).storageConfiguration, made);
  assert.deepEqual((await call('ListStorageConfigurations')).storageConfigurations, [made]);
  const recording = { autoParticipantRecordingConfiguration: { storageConfigurationArn: made.arn, mediaTypes: ['AUDIO_ONLY'] } };
  const { stage } = await call('CreateStage', recording);
  await refused('ConflictException', 'DeleteStorageConfiguration', { arn: made.arn });
  await call('UpdateStage', { arn: stage.arn, autoParticipantRecordingConfiguration: { storageConfigurationArn: '' } });
  for (const operation of ['GetStorageConfiguration', 'DeleteStorageConfiguration']) {
    await refused('AccessDeniedException', operation, { arn: elsewhere(made.arn) });
    await refused('ValidationException', operation, { arn: stage.arn });
    await refused('ResourceNotFoundException', operation, { arn: missing(made.arn) });
  }
  await refused('ValidationException', 'CreateStorageConfiguration', { s3: { bucketName: 'No Bucket' } });
  await refused('ValidationException', 'ListStorageConfigurations', { nextToken: 'AAAA' });
  await call('DeleteStorageConfiguration', { arn: made.arn });
  await refused('ResourceNotFoundException', 'UpdateStage', { arn: stage.arn, ...recording });
  await refused('ValidationException', 'CreateStage', recording);
});

test('tags of everything that has some', async () => {
  const { stage } = await call('CreateStage', { tags: { team: 'js' } });
  const { publicKey } = await call('ImportPublicKey', {
    publicKeyMaterial: generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' }), tags: { team: 'js' },
  });
  const { storageConfiguration } = await call('CreateStorageConfiguration', { s3: { bucketName: 'tagged' }, tags: { team: 'js' } });
  for (const { arn: resourceArn } of [stage, publicKey, storageConfiguration]) {
    await call('TagResource', { resourceArn, tags: { 'a key': 'wert=ä+1' } });
    await call('UntagResource', { resourceArn, tagKeys: ['team', 'unknown'] });
    assert.deepEqual((await call('ListTagsForResource', { resourceArn })).tags, { 'a key': 'wert=ä+1' });
    await refused('ResourceNotFoundException', 'TagResource', { resourceArn: missing(resourceArn), tags: { a: 'b' } });
    await refused('ResourceNotFoundException', 'UntagResource', { resourceArn: missing(resourceArn), tagKeys: ['a'] });
    await refused('ResourceNotFoundException', 'ListTagsForResource', { resourceArn: missing(resourceArn) });
  }
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, '']));
  await refused('ValidationException', 'TagResource', { resourceArn: stage.arn, tags: many });
  await refused('ValidationException', 'UntagResource', { resourceArn: stage.arn, tagKeys: Object.keys({ ...many, more: '' }) });
  await refused('ValidationException', 'ListTagsForResource', { resourceArn: 'nonsense' });
});

test('bad requests are told apart', async () => {
  const { stage } = await call('CreateStage');
  const { arn } = stage;
  for (const [operation, member] of [['GetStage', 'arn'], ['UpdateStage', 'arn'], ['DeleteStage', 'arn'], ['CreateParticipantToken', 'stageArn']]) {
    await refused('AccessDeniedException', operation, { [member]: elsewhere(arn) });
    await refused('ValidationException', operation, { [member]: 'nonsense' });
    await refused('ResourceNotFoundException', operation, { [member]: missing(arn) });
  }
  await refused('ValidationException', 'CreateStage', { name: 'no spaces' });
  await refused('ValidationException', 'CreateStage', { participantTokenConfigurations: Array(13).fill({}) });
  await refused('ValidationException', 'CreateParticipantToken', { stageArn: arn, duration: 20161 });
  await refused('ValidationException', 'CreateParticipantToken', { stageArn: arn, attributes: { a: 'x'.repeat(1024) } });
  await refused('ValidationException', 'DisconnectParticipant', { stageArn: arn, participantId: 'not an id' });
  await refused('ValidationException', 'ListStages', { maxResults: 0 });
  const stranger = new sdk.IVSRealTimeClient({ endpoint, region, maxAttempts: 1, credentials: { accessKeyId: 'AKIAXXXXXXXXXXXXXXXX', secretAccessKey: 'x' } });
  await assert.rejects(stranger.send(new sdk.ListStagesCommand({})), (e) => e.$metadata.httpStatusCode === 403);
});

test('paginators walk every stage once', async () => {
  const arns = [];
  for (let i = 0; i < 7; i++) arns.push((await call('CreateStage', { name: 'page' })).stage.arn);
  const seen = [];
  for await (const page of sdk.paginateListStages({ client, pageSize: 3 }, {})) {
    assert.ok(page.stages.length <= 3);
    seen.push(...page.stages.filter((s) => s.name === 'page').map((s) => s.arn));
  }
  assert.deepEqual(seen.toSorted(), arns.toSorted());
  answered.add('ListStages');
});

test('quotas, and a client that calls faster than it may', async () => {
  const [accessKeyId, secretAccessKey] = process.env.RIVUS_QUOTAS_KEY.split(':');
  const limited = new sdk.IVSRealTimeClient({
    endpoint: process.env.RIVUS_QUOTAS_URL, region, maxAttempts: 10, credentials: { accessKeyId, secretAccessKey },
  });
  for (let i = 0; i < 5; i++) await call('CreateStorageConfiguration', { s3: { bucketName: `bucket-${i}` } }, limited);
  await refused('ServiceQuotaExceededException', 'CreateStorageConfiguration', { s3: { bucketName: 'bucket-5' } }, limited);
  const material = () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ type: 'spki', format: 'pem' });
  for (let i = 0; i < 3; i++) await call('ImportPublicKey', { publicKeyMaterial: material() }, limited);
  await refused('ServiceQuotaExceededException', 'ImportPublicKey', { publicKeyMaterial: material() }, limited);
  const burst = await Promise.all(Array.from({ length: 12 }, () => call('ListStages', {}, limited)));
  assert.ok(burst.some((out) => out.$metadata.attempts > 1), 'twelve calls at once are more than five a second');
  limited.destroy();
});

test('nothing was left out, and what is not built says so', async () => {
  const operations = Object.keys(sdk).filter((name) => name.endsWith('Command') && name !== '$Command').map((name) => name.slice(0, -7));
  const missingOnes = operations.filter((name) => !answered.has(name));
  for (const operation of missingOnes) {
    assert.match(operation, /Composition|EncoderConfiguration|IngestConfiguration|Replica/, `${operation} was never answered`);
    const input = { arn: missing(live.stageArn), stageArn: live.stageArn, sourceStageArn: live.stageArn, destinationStageArn: live.stageArn, participantId: 'a', destinations: [], ingestProtocol: 'RTMPS' };
    await assert.rejects(client.send(new sdk[`${operation}Command`](input)), (e) => {
      assert.equal(e.$metadata.httpStatusCode, 400);
      assert.match(e.message, new RegExp(operation));
      return true;
    });
  }
  assert.equal(answered.size, 23);
  assert.equal(answered.size + missingOnes.length, 39);

  const model = JSON.parse(readFileSync('../../../api/model/ivs-realtime.json'));
  const declared = [...answered].flatMap((operation) => model.operations[operation].errors.map((name) => `${operation} ${name}`));
  assert.deepEqual(declared.filter((pair) => !refusals.has(pair)).toSorted(), declared.filter(outOfReach).toSorted());
});

/** outOfReach tells the errors that no call from outside brings about here. The service's contract tests raise those that
 * need a store which is gone, a recording or a thousand stages, and give the reasons for the others. */
function outOfReach(pair) {
  const [operation, name] = pair.split(' ');
  const others = {
    AccessDeniedException: ['CreateStage', 'ListStages', 'ImportPublicKey', 'ListPublicKeys', 'CreateStorageConfiguration', 'ListStorageConfigurations'],
    ConflictException: [
      'ListStages', 'UpdateStage', 'DeleteStage', 'DeletePublicKey',
      'CreateStorageConfiguration', 'GetStorageConfiguration', 'ListStorageConfigurations',
    ],
    ResourceNotFoundException: ['CreateStorageConfiguration'],
    ServiceQuotaExceededException: [
      'CreateStage', 'UpdateStage', 'CreateParticipantToken', 'GetStorageConfiguration', 'ListStorageConfigurations', 'DeleteStorageConfiguration',
    ],
  };
  return ['PendingVerification', 'InternalServerException'].includes(name) || others[name]?.includes(operation);
}
