// Sends calls by Segment's older client for Node: `node segment_node_6.cjs < script.json`.
// Exits with 1 if the client drops a batch.
const { readFileSync } = require('node:fs');
const Analytics = require('analytics-node');

const script = JSON.parse(readFileSync(0, 'utf8'));
const client = new Analytics(script.key, {
  host: script.address,
  flushAt: script.batch,
  flushInterval: 100,
  retryCount: 10,
  errorHandler: (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
});
for (const { method, ...call } of script.calls) client[method]({ ...call, timestamp: new Date(call.timestamp) });
