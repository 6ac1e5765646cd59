import { defineConfig, type UserConfig } from 'tsdown';

const config: UserConfig = defineConfig({
  entry: {
    index: 'src/index.ts',
    signaling: 'src/signaling/index.ts',
    telemetry: 'src/telemetry/index.ts',
    media: 'src/media.ts',
    react: 'src/react.ts',
    testing: 'src/testing/index.ts',
    texts: 'src/texts.ts',
  },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  // For the server in memory, whose hash has to be the real one's. Nothing else goes into what users get.
  deps: { onlyBundle: ['@noble/hashes'] },
  dts: { oxc: true },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
});

export default config;
