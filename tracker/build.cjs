// Builds the tracker: `node build.cjs FILE`. The same sources and versions make the same bytes on every machine.
const { join } = require('node:path');
const { buildSync } = require('esbuild');

buildSync({
  entryPoints: [join(__dirname, 'src', 'headrace.ts')],
  outfile: process.argv[2],
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2018',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});
