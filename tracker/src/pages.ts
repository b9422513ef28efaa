/**
 * Page views and the time on pages, also of pages whose script changes the address.
 *
 * A page that was seen sends `page-left` with its visible seconds when it is left, and when it is hidden, since that may
 * be the last that a page on a phone learns. One that is seen again after that sends another one with the seconds since.
 */

import { flushOwn } from './delivery';
import * as tabs from './tabs';

type Track = (type: string, properties?: object) => void;

let current: { page: string; url: string } | undefined;
/** Since when the page is visible, in milliseconds; 0 while it is not. */
let visibleSince = 0;

/** Send a page view, after `page-left` of the page before. */
export function page(track: Track, properties?: object): void {
  const referrer = current ? current.url : document.referrer;
  leave(track);
  current = { page: location.pathname, url: location.href };
  track('page-view', { ...current, title: document.title, referrer, ...properties });
  look();
}

function look(): void {
  visibleSince = document.hidden ? 0 : performance.now();
}

function leave(track: Track): void {
  const seconds = visibleSince && Math.round((performance.now() - visibleSince) / 100) / 10;
  if (seconds) {
    track('page-left', { ...current, seconds });
  }
  visibleSince = 0;
}

/** Notice that the page is left, hidden or shown; `automatic`: and that its address changes. */
export function watch(track: Track, automatic: boolean): void {
  const left = (): void => {
    leave(track);
    flushOwn();
  };
  addEventListener('pagehide', () => {
    left();
    tabs.leave();
  });
  addEventListener('pageshow', (event) => {
    if (event.persisted) {
      tabs.live(); // back from the browser's cache of pages
      automatic && page(track);
    }
  });
  tabs.live();
  document.addEventListener('visibilitychange', () => (document.hidden ? left() : look()));
  if (!automatic) {
    return;
  }
  page(track);
  const moved = (): unknown => setTimeout(() => location.href !== current!.url && page(track)); // then it has its title
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name];
    history[name] = function (...args) {
      original.apply(this, args);
      moved();
    };
  }
  addEventListener('popstate', moved);
  addEventListener('hashchange', moved);
}
