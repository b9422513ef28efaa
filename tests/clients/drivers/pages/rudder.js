// RudderStack's client for pages. Its methods take arguments in a row.
const ARGUMENTS = {
  alias: ({ userId, previousId }) => [userId, previousId],
  group: ({ groupId, traits }) => [groupId, traits],
  identify: ({ userId, traits }) => [userId, traits],
  page: ({ name, properties }) => [name, properties],
  // Without `true` it keeps the anonymous id; requests overtake each other, so the next user may be the first one of it.
  reset: () => [true],
  track: ({ event, properties }) => [event, properties],
};

window.drive = async ({ address, key, calls, beacon }) => {
  const client = new rudderanalytics.RudderAnalytics();
  client.load(key, address, {
    configUrl: address,
    useBeacon: beacon,
    beaconQueueOptions: { flushQueueInterval: 100 },
    queueOptions: { minRetryDelay: 500, backoffFactor: 1.5, maxAttempts: 20 },
  });
  await new Promise((resolve) => client.ready(resolve));
  for (const { method, ...call } of calls) client[method](...ARGUMENTS[method](call));
};
