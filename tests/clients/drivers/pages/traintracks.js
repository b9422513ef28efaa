// Sends what Traintracks' SDK for pages sends: it is in no registry. `md5` is a function of the browser's driver.
const PAUSE = 250; // milliseconds before the next try

async function post(endpoint, key, secret, events) {
  const body = `[${events.map((event) => JSON.stringify(event)).join(',')}]`;
  const request = new XMLHttpRequest();
  request.open('POST', endpoint);
  request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
  request.setRequestHeader('Content-type', 'application/json;charset=utf-8');
  request.setRequestHeader('X-Product-Key', key);
  request.setRequestHeader('X-Product-Auth', await window.md5(body + secret));
  await new Promise((resolve) => {
    request.onloadend = resolve;
    request.send(body);
  });
  return request.status;
}

window.drive = async ({ address, key, secret, calls, batch }) => {
  for (let sent = 0; sent < calls.length; sent += batch) {
    const events = calls.slice(sent, sent + batch);
    while ((await post(`${address}/v1/events`, key, secret, events)) !== 200) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
};
