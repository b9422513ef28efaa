// The bindings that scripts know from Rakam. `_headrace` are functions of the process around; each takes and returns text.
(function (native) {
  'use strict';
  const stringify = JSON.stringify, parse = JSON.parse, encode = encodeURIComponent;
  const text = (value) => typeof value === 'string' ? value : value instanceof Error ? String(value) : stringify(value);
  function failed(reason) {
    const error = new Error(reason);
    error.stack = '';
    return error;
  }
  function ask(name, ...given) {
    const reply = parse(native.ask(stringify([name, ...given])));
    if (reply.failed !== undefined) throw failed(reply.failed);
    return reply.value;
  }
  const log = (level) => (...values) => { native.log(level, values.map((value) => String(text(value))).join(' ')); };
  function request(method, url) {
    const headers = {}, query = [];
    let form = null, body = null;
    const builder = {
      header(name, value) { headers[String(name)] = String(value); return builder; },
      query(name, value) { query.push(encode(String(name)) + '=' + encode(String(value))); return builder; },
      form(name, value) { (form = form || []).push(encode(String(name)) + '=' + encode(String(value))); return builder; },
      data(value) { body = text(value); return builder; },
      send() {
        let address = String(url);
        if (query.length) address += (address.includes('?') ? '&' : '?') + query.join('&');
        if (form !== null) {
          body = form.join('&');
          if (!Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) {
            headers['Content-Type'] = 'application/x-www-form-urlencoded';
          }
        }
        const answer = ask('http', { method, url: address, headers, body });
        return {
          getStatusCode: () => answer.status,
          getResponseBody: () => answer.body,
        };
      },
    };
    return builder;
  }
  function parseFormData(given) {
    const found = {};
    for (const pair of String(given ?? '').split('&')) {
      if (!pair) continue;
      const at = pair.indexOf('=');
      const part = (raw) => native.unquote(raw);
      const name = part(at < 0 ? pair : pair.slice(0, at));
      if (!Object.hasOwn(found, name)) {
        Object.defineProperty(found, name, { value: [], enumerable: true, configurable: true, writable: true });
      }
      found[name].push(at < 0 ? '' : part(pair.slice(at + 1)));
    }
    return found;
  }
  const bindings = {
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    config: {
      get: (name) => ask('state', String(name)),
      set: (name, value) => { ask('keep', String(name), value ?? null, false); },
      setOnce: (name, value) => { ask('keep', String(name), value ?? null, true); },
    },
    util: {
      request: { parseFormData },
      crypt: {
        sha1: (given) => native.digest('sha1', String(given)),
        sha256: (given) => native.digest('sha256', String(given)),
        encryptToHex: (given, key, algorithm) => native.hmac(String(algorithm), String(key), String(given)),
      },
      base64: { encode: (given) => native.base64(String(given)) },
    },
    http: {
      get: (url) => request('GET', url),
      post: (url) => request('POST', url),
      put: (url) => request('PUT', url),
      delete: (url) => request('DELETE', url),
    },
    eventStore: { store: (events) => { ask('store', events); } },
  };
  Object.assign(globalThis, bindings);
})
