// Drives the channel operations with the AWS SDK for JavaScript v3.
//
// The environment names the server (RIVUS_URL), its root key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and a channel
// that is live (RIVUS_LIVE_CHANNEL).
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as sdk from '@aws-sdk/client-ivs';

const endpoint = process.env.RIVUS_URL;
const live = process.env.RIVUS_LIVE_CHANNEL;
const region = 'us-west-2';
const client = new sdk.IvsClient({ endpoint, region, maxAttempts: 1 });
const send = (command) => client.send(command);
after(() => client.destroy());

/** refused expects a modelled error: its name, status and text must reach the caller. */
async function refused(command, name, status) {
  await assert.rejects(send(command), (e) => {
    assert.equal(e.name, name);
    assert.equal(e.$metadata.httpStatusCode, status);
    assert.match(e.$metadata.requestId, /^[0-9a-f]{8}-/);
    assert.ok(e.message && e.message !== 'UnknownError', 'the message reaches the caller');
    return true;
  });
}

test('a channel from its creation to its end', async () => {
  const made = await send(new sdk.CreateChannelCommand({ name: 'js', type: 'BASIC', containerFormat: 'FRAGMENTED_MP4', tags: { team: 'js' } }));
  const { arn } = made.channel;
  assert.match(arn, new RegExp(`^arn:aws:ivs:${region}:\\d{12}:channel/[A-Za-z0-9]{12}$`));
  assert.match(made.streamKey.value, new RegExp(`^sk_${region}_[A-Za-z0-9]{12}_[A-Za-z0-9]{30}$`));
  assert.equal(made.streamKey.value.split('_')[2], made.streamKey.arn.split('/')[1]);
  assert.equal(made.channel.playbackUrl, `${endpoint}/api/video/v1/${region}.${arn.split(':')[4]}.channel.${arn.split('/')[1]}.m3u8`);

  const got = await send(new sdk.GetChannelCommand({ arn }));
  assert.deepEqual(got.channel, made.channel);
  const batch = await send(new sdk.BatchGetChannelCommand({ arns: [arn, arn.replace(/.{12}$/, 'doesNotExist')] }));
  assert.equal(batch.channels.length, 1);
  assert.equal(batch.errors.length, 1);

  const renamed = await send(new sdk.UpdateChannelCommand({ arn, name: 'js-renamed', latencyMode: 'NORMAL' }));
  assert.equal(renamed.channel.name, 'js-renamed');
  assert.equal(renamed.channel.latencyMode, 'NORMAL');
  assert.equal(renamed.channel.type, 'BASIC', 'absent members keep their value');
  const found = await send(new sdk.ListChannelsCommand({ filterByName: 'js-renamed' }));
  assert.deepEqual(found.channels.map((c) => c.arn), [arn]);

  await refused(new sdk.CreateStreamKeyCommand({ channelArn: arn }), 'ServiceQuotaExceededException', 402);
  const keys = await send(new sdk.ListStreamKeysCommand({ channelArn: arn }));
  assert.deepEqual(keys.streamKeys, [{ arn: made.streamKey.arn, channelArn: arn, tags: {} }]);
  const key = await send(new sdk.GetStreamKeyCommand({ arn: made.streamKey.arn }));
  assert.equal(key.streamKey.value, made.streamKey.value);
  const keyBatch = await send(new sdk.BatchGetStreamKeyCommand({ arns: [made.streamKey.arn] }));
  assert.equal(keyBatch.streamKeys[0].value, made.streamKey.value);
  await send(new sdk.DeleteStreamKeyCommand({ arn: made.streamKey.arn }));
  await refused(new sdk.GetStreamKeyCommand({ arn: made.streamKey.arn }), 'ResourceNotFoundException', 404);
  const fresh = await send(new sdk.CreateStreamKeyCommand({ channelArn: arn, tags: { a: 'b' } }));
  assert.notEqual(fresh.streamKey.value, made.streamKey.value);

  await send(new sdk.TagResourceCommand({ resourceArn: arn, tags: { 'a key': 'wert=ä+1' } }));
  await send(new sdk.UntagResourceCommand({ resourceArn: arn, tagKeys: ['team', 'unknown'] }));
  const tags = await send(new sdk.ListTagsForResourceCommand({ resourceArn: arn }));
  assert.deepEqual(tags.tags, { 'a key': 'wert=ä+1' });

  await refused(new sdk.GetStreamCommand({ channelArn: arn }), 'ChannelNotBroadcasting', 404);
  await refused(new sdk.StopStreamCommand({ channelArn: arn }), 'ChannelNotBroadcasting', 404);
  await refused(new sdk.PutMetadataCommand({ channelArn: arn, metadata: 'x' }), 'ChannelNotBroadcasting', 404);
  await send(new sdk.DeleteChannelCommand({ arn }));
  await refused(new sdk.GetChannelCommand({ arn }), 'ResourceNotFoundException', 404);
});

test('paginators walk every channel once', async () => {
  const arns = [];
  for (let i = 0; i < 7; i++) arns.push((await send(new sdk.CreateChannelCommand({ name: 'page' }))).channel.arn);
  const seen = [];
  for await (const page of sdk.paginateListChannels({ client, pageSize: 3 }, { filterByName: 'page' })) {
    seen.push(...page.channels.map((c) => c.arn));
  }
  assert.deepEqual(seen.toSorted(), arns.toSorted());
  for (const arn of arns) await send(new sdk.DeleteChannelCommand({ arn }));
});

test('a live stream is seen and commanded', async () => {
  const { stream } = await send(new sdk.GetStreamCommand({ channelArn: live }));
  assert.equal(stream.state, 'LIVE');
  assert.match(stream.streamId, /^st-[A-Za-z0-9]{23}$/);
  assert.ok(stream.startTime instanceof Date && Math.abs(Date.now() - stream.startTime) < 600_000);
  assert.equal(typeof stream.viewerCount, 'number');
  const list = await send(new sdk.ListStreamsCommand({}));
  assert.ok(list.streams.some((s) => s.streamId === stream.streamId));
  await send(new sdk.PutMetadataCommand({ channelArn: live, metadata: 'from JavaScript' }));
  await refused(new sdk.PutMetadataCommand({ channelArn: live, metadata: 'x'.repeat(1025) }), 'ValidationException', 400);
  await refused(new sdk.UpdateChannelCommand({ arn: live, name: 'no' }), 'ConflictException', 409);
  await refused(new sdk.DeleteChannelCommand({ arn: live }), 'ConflictException', 409);
  await send(new sdk.StopStreamCommand({ channelArn: live }));
});

test('bad requests are told apart', async () => {
  await refused(new sdk.GetChannelCommand({ arn: 'nonsense' }), 'ValidationException', 400);
  await refused(new sdk.CreateChannelCommand({ name: 'no spaces' }), 'ValidationException', 400);
  await refused(new sdk.ListChannelsCommand({ nextToken: 'AAAA' }), 'ValidationException', 400);
  await assert.rejects(send(new sdk.ListAdConfigurationsCommand({})), (e) => {
    assert.equal(e.$metadata.httpStatusCode, 400);
    assert.match(e.message, /ListAdConfigurations/);
    return true;
  });
  const stranger = new sdk.IvsClient({ endpoint, region, maxAttempts: 1, credentials: { accessKeyId: 'AKIAXXXXXXXXXXXXXXXX', secretAccessKey: 'x' } });
  await assert.rejects(stranger.send(new sdk.ListChannelsCommand({})), (e) => e.$metadata.httpStatusCode === 403);
});
