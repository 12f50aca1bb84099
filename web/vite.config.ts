import { defineConfig } from 'vite';

// The pages are embedded into the binary, so the build goes where Go's embed finds it. File names carry the hash of
// their content and nothing else varies, so that a build can be compared with the committed one.
export default defineConfig({
  base: '/console/',
  resolve: { alias: { '@rivus/web': '/client/src/index.ts' } },
  build: {
    outDir: '../internal/console/dist',
    emptyOutDir: true,
    target: 'es2022',
    chunkSizeWarningLimit: 700,
  },
});
