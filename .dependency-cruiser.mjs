/** The import law: see CONTRIBUTING.md, "Where code may reach". */
const adapters = 'kafka|schema-codec|http-delivery|persistence|observability|config|runtime|filters|sandbox';
export default {
  forbidden: [
    {
      name: 'core-is-pure',
      comment: 'libs/core imports itself and node:crypto: no Nest, no Kafka, no clock.',
      severity: 'error',
      from: { path: '^libs/core/', pathNot: '\\.((int-)?spec|fixture)\\.ts$' },
      to: { pathNot: '^(libs/core/|(node:)?crypto$)' },
    },
    {
      name: 'fixtures-are-for-specs',
      comment: 'A fixture may import what a spec may, so nothing that is shipped may import a fixture.',
      severity: 'error',
      from: { pathNot: '\\.((int-)?spec|fixture)\\.ts$' },
      to: { path: '\\.fixture\\.ts$' },
    },
    {
      name: 'contracts-import-core-only',
      severity: 'error',
      from: { path: '^libs/contracts/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(libs|apps)/', pathNot: '^libs/(contracts|core)/' },
    },
    {
      name: 'documents-import-core-only',
      severity: 'error',
      from: { path: '^libs/event-documents/', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^libs/(event-documents|core)/' },
    },
    {
      name: 'adapters-do-not-know-each-other',
      comment: 'An adapter imports core and contracts, never another adapter. Compose them in an app.',
      severity: 'error',
      from: { path: `^libs/(${adapters})/`, pathNot: '\\.(int-)?spec\\.ts$' },
      to: { path: `^libs/(${adapters}|testing)/`, pathNot: '^libs/$1/' },
    },
    {
      name: 'libs-do-not-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|examples|bench)/' },
    },
    {
      name: 'apps-do-not-import-apps',
      severity: 'error',
      from: { path: '^apps/(?!standalone/)([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'cross-only-through-the-index',
      comment: 'The simulation runs the stages themselves, which no app offers to others.',
      severity: 'error',
      from: { path: '^(libs|apps|examples|bench|test)/([^/]+)/', pathNot: '^test/simulation/subjects\\.ts$' },
      to: { path: '^(libs|apps)/[^/]+/', pathNot: ['^$1/$2/', '^(libs|apps)/[^/]+/src/index\\.ts$', '^libs/testing/'] },
    },
    {
      name: 'only-libs-kafka-knows-kafkajs',
      severity: 'error',
      from: {
        path: '^(libs|apps|bench)/',
        pathNot: ['^libs/(kafka|runtime|testing|schema-codec)/', 'spec\\.ts$', '^bench/plain-consumer\\.ts$'],
      },
      to: { path: 'node_modules/(kafkajs|@kafkajs)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
    },
  },
};
