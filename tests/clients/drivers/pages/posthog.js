// PostHog's client for pages. A call has the arguments of its method.
window.drive = async ({ address, key, calls }) => {
  posthog.init(key, {
    api_host: address,
    opt_out_useragent_filter: true,
    autocapture: false,
    capture_pageview: false,
    capture_pageleave: false,
    request_queue_config: { flush_interval_ms: 250 },
  });
  for (const { method, with: given } of calls) posthog[method](...given);
};
