// The declarations are those that an application needs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder } from './load.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test('an application compiles', (t) => {
  const project = mkdtempSync(join(tmpdir(), 'rivus-web-'));
  t.after(() => rmSync(project, { recursive: true }));
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2022', lib: ['ES2023', 'DOM'], module: 'ESNext', moduleResolution: 'bundler', strict: true, noEmit: true, types: [],
        paths: { '@rivus/web': [join(folder, 'index.d.ts')] },
      },
      files: [here('app.ts')],
    }),
  );
  execFileSync(here('../../node_modules/.bin/tsc'), ['-p', project], { stdio: ['ignore', 'inherit', 'inherit'] });
});
