// The API reference, docs/api, out of the sources' comments: `npm run api`.

/** @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions} */
export default {
  plugin: ['typedoc-plugin-markdown'],
  entryPoints: [
    'src/index.ts',
    'src/signaling/index.ts',
    'src/telemetry/index.ts',
    'src/media.ts',
    'src/react.ts',
    'src/testing/index.ts',
    'src/texts.ts',
  ],
  out: 'docs/api',
  router: 'module',
  entryFileName: 'README',
  readme: 'none',
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  validation: { notDocumented: true, notExported: true, invalidLink: true },
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  pageTitleTemplates: {
    index: '@switchboard/client: API reference',
    module: ({ name }) => (name === 'client' ? '@switchboard/client' : `@switchboard/client/${name}`),
  },
};
