import { defineConfig, type UserConfig } from 'tsdown';

/** The library in one file for the server's own page. It is committed: building the server needs no Node. */
const config: UserConfig = defineConfig({
  entry: { client: 'page.ts' },
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
