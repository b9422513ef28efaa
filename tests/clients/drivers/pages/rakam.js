// Rakam's client for pages. It keeps what it could not deliver until the next event, so this sends again until it could.
window.drive = ({ address, key, user, calls }) => {
  rakam.init(key, user, { apiEndpoint: new URL(address).host });
  for (const { collection, properties } of calls) rakam.logEvent(collection, properties);
  setInterval(() => rakam.sendEvents(), 250);
};
