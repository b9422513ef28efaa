// Rakam's client for pages. It keeps what it could not deliver in the page's storage until the next event, so this sends
// again until nothing is left there.
const PAUSE = 250; // milliseconds before the next try

window.drive = async ({ address, key, user, calls }) => {
  rakam.init(key, user, { apiEndpoint: new URL(address).host });
  for (const { collection, properties } of calls) rakam.logEvent(collection, properties);
  while (localStorage.getItem('rakam_unsent') !== '[]') {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    rakam.sendEvents();
  }
};
