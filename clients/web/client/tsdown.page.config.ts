import { defineConfig, type UserConfig } from 'tsdown';

/** The library in one file for the server's own page, and QR codes in another. They are committed: building the server needs no Node. */
const config: UserConfig = defineConfig({
  entry: { client: 'page.ts', qr: 'page-qr.ts' },
  outDir: '../demo',
  clean: false,
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  minify: true,
  dts: false,
  outExtensions: () => ({ js: '.js' }),
  banner: '// Made from clients/web/client by `npm run page`. Not to be edited.',
});

export default config;
