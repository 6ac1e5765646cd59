import { defineConfig, type UserConfig } from 'tsdown';

const config: UserConfig = defineConfig({
  entry: {
    index: 'src/index.ts',
    signaling: 'src/signaling/index.ts',
    telemetry: 'src/telemetry/index.ts',
    texts: 'src/texts.ts',
  },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  dts: { oxc: true },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
});

export default config;
