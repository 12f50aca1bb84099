// Where the build under test is: in RIVUS_WEB, or where `npm test` puts it.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const folder = resolve(process.env.RIVUS_WEB ?? fileURLToPath(new URL('../.test', import.meta.url)));

/** Imports a module of the build. */
export const load = (name) => import(pathToFileURL(resolve(folder, `${name}.js`)));
