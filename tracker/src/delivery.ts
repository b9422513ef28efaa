/**
 * Sends the queue: after a moment, in batches, again after a failure, and what is left when the page is left.
 *
 * An event leaves the queue when the server has answered. A request without an answer is sent again, with the same ids,
 * by which the server counts each event once.
 */

import { options } from './options';
import { Batch, isAnonymous, keys, next, release, remove } from './queue';
import { report } from './trace';
import { adopt } from './tabs';
import { dropToken, forget, tokenOf } from './visitor';

const TIMEOUT = 30_000; // ms for a request
const SOON = 2_000; // ms until events are sent
const ENOUGH = 10; // events that are sent at once

let timer: number | undefined;
let busy = false;
let failures = 0;

/** Send the queue soon; at once if it is long. After a failure, its time of waiting holds. */
export function schedule(): void {
  if (!failures && keys().length >= ENOUGH) {
    flush();
  } else {
    later();
  }
}

function later(): void {
  timer = timer || setTimeout(flush, SOON);
}

/** Send the queue now. */
export async function flush(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  if (busy) {
    return later();
  }
  busy = true;
  await adopt().catch(() => {}); // a page that is being left has no locks
  let batch;
  while ((batch = next()) && (await deliver(batch)));
  busy = false;
}

/** Send what this page has queued, in requests that outlive it. */
export function flushOwn(): void {
  for (let count = 0; count < 2; count++) {
    const batch = next();
    if (batch) {
      deliver(batch, true);
    }
  }
}

/** Send a batch, and return whether the server has taken or refused it. */
async function deliver(batch: Batch, leaving?: boolean): Promise<boolean> {
  const { sender, events } = batch;
  const url = options.url + '/track' + (isAnonymous(sender) ? '?profile_less=true' : '');
  const userToken = tokenOf(sender);
  const more = JSON.stringify({ options: { debugger: !!options.debugger }, userToken });
  const body = `${more.slice(0, -1)},"events":[${events}],${sender.slice(1)}`;
  const keepalive = body.length < 20_000;
  const controller = new AbortController();
  const timeout = setTimeout(() => controller.abort(), TIMEOUT);
  let response: Response | undefined;
  let answer;
  try {
    if (leaving && !('keepalive' in Request.prototype)) {
      navigator.sendBeacon(url, body);
    } else {
      // A text needs no preflight, and `omit` lets a source with the origin `*` answer.
      response = await fetch(url, { method: 'POST', body, keepalive, credentials: 'omit', signal: controller.signal });
      answer = await response.json();
    }
  } catch {
    // Without a response it is sent again; a response that cannot be read has its status.
  }
  clearTimeout(timeout);
  release(batch);
  const status = response ? response.status : 0;
  if (status === 401 && userToken) {
    dropToken();
    return true; // and again without it
  }
  if (!status || status === 408 || status === 429 || status > 499) {
    wait(response && response.headers.get('Retry-After'));
    return false;
  }
  failures = 0;
  batch.keys.forEach(remove);
  if (status === 410) {
    forget();
  }
  report(status, answer);
  return true;
}

/** Send again after as many seconds as the server says, else after 2, 4, 8 … 256. */
function wait(seconds?: string | null): void {
  failures = Math.min(failures + 1, 8);
  clearTimeout(timer);
  timer = setTimeout(flush, Math.min(+seconds! || 2 ** failures, 3600) * (1000 + 250 * Math.random()));
}

/** Send at once what failed before, as the device is online again. */
export function retry(): void {
  failures = 0;
  flush();
}
