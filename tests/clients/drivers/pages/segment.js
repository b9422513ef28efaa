// Segment's client for pages. Its methods take arguments in a row.
const ARGUMENTS = {
  alias: ({ userId, previousId }) => [userId, previousId],
  group: ({ groupId, traits }) => [groupId, traits],
  identify: ({ userId, traits }) => [userId, traits],
  page: ({ name, properties }) => [name, properties],
  reset: () => [],
  screen: ({ name, properties }) => [name, properties],
  track: ({ event, properties }) => [event, properties],
};

window.drive = async ({ address, key, calls, batch }) => {
  const deliveryStrategy = batch > 1 ? { strategy: 'batching', config: { size: batch, timeout: 100 } } : {};
  const [client] = await AnalyticsNext.AnalyticsBrowser.load(
    { writeKey: key, cdnURL: address },
    { integrations: { 'Segment.io': { apiHost: `${new URL(address).host}/v1`, protocol: 'http', deliveryStrategy } } },
  );
  for (const { method, ...call } of calls) {
    const sent = client[method](...ARGUMENTS[method](call));
    if (method !== 'track') await sent; // an event gets its user when it is sent, not when it is made
  }
};
