// Builds the package: ES modules with their types by the compiler, and one script with a global by Vite.
//
//   node build.mjs <folder>
//
// Both tools are those of web/. The same sources give the same bytes.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? 'dist');

rmSync(out, { recursive: true, force: true });
execFileSync(join(here, '../node_modules/.bin/tsc'), ['-p', here, '--outDir', out], { stdio: 'inherit' });
await build({
  root: here,
  configFile: false,
  logLevel: 'warn',
  build: {
    outDir: out,
    emptyOutDir: false,
    target: 'es2022',
    lib: { entry: 'src/index.ts', formats: ['iife'], name: 'RivusWeb', fileName: () => 'rivus-web.js' },
    // Applications that load the client as a script expect the name of the documented interface.
    rollupOptions: { output: { footer: 'globalThis.IVSBroadcastClient ??= RivusWeb;' } },
  },
});
