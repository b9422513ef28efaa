// Rakam's client for pages. It keeps what it could not deliver in the page's storage until the next event, so this sends
// again until nothing is left there. A call is an event, or an operation on the user with its arguments.
const PAUSE = 250; // milliseconds before the next try

const operate = (operation, given) =>
  new Promise((resolve, reject) => {
    const answered = (status) => (status === 200 ? resolve() : reject(new Error(`${operation}: ${status}`)));
    rakam.User()[operation](...given, answered);
  });

window.drive = async ({ address, key, user, calls }) => {
  rakam.init(key, user, { apiEndpoint: new URL(address).host });
  for (const { collection, properties, operation, with: given } of calls) {
    if (operation) await operate(operation, given);
    else rakam.logEvent(collection, properties);
  }
  while (localStorage.getItem('rakam_unsent') !== '[]') {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    rakam.sendEvents();
  }
};
