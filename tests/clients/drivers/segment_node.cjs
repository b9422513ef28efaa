// Sends calls by Segment's client for Node: `node segment_node.cjs < script.json`.
// Exits with 1 if the client drops a batch.
const { readFileSync } = require('node:fs');
const { Analytics } = require('@segment/analytics-node');

const script = JSON.parse(readFileSync(0, 'utf8'));
const client = new Analytics({
  writeKey: script.key,
  host: script.address,
  flushAt: script.batch,
  flushInterval: 100,
});
client.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});
for (const { method, ...call } of script.calls) client[method](call);
client.closeAndFlush();
