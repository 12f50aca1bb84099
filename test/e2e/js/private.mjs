// Tokens of viewers as an application makes them, with jose, and requests as a player's.
import { readFile } from 'node:fs/promises';
import { appendFileSync } from 'node:fs';
import http from 'node:http';
import { SignJWT, importPKCS8 } from 'jose';

/** now is the time in whole seconds. */
export const now = () => Math.floor(Date.now() / 1000);

/** signer returns a function that signs tokens for a channel with the key in a PEM file. Claims replace those of a good token. */
export async function signer(file, channel) {
  const key = await importPKCS8(await readFile(file, 'utf8'), 'ES384');
  return async (claims = {}, header = { alg: 'ES384', typ: 'JWT' }) => {
    const all = { 'aws:channel-arn': channel, exp: now() + 300, ...claims };
    for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
    const token = await new SignJWT(all).setProtectedHeader(header).sign(key);
    if (process.env.RIVUS_TOKENS) appendFileSync(process.env.RIVUS_TOKENS, token + '\n');
    return token;
  };
}

/** get asks for a URL with header fields, as curl does. */
export function get(url, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (answer) => {
      const parts = [];
      answer.on('data', (b) => parts.push(b));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** uris returns the lines of a playlist that are URIs, as URLs. */
export const uris = (playlist, base) =>
  String(playlist).split('\n').filter((line) => line && !line.startsWith('#')).map((line) => new URL(line, base).href);
