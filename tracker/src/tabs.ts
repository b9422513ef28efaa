/**
 * Every page sends its own events, and those of pages that are gone.
 *
 * A page that lives holds a lock of the browser, so others see who is gone. Where the browser has no locks, entries of
 * others are taken after a minute: such a page may still live, and what both send counts once, by the events' ids.
 */

import { disk, shared, tab } from './device';
import { granted, name } from './options';
import { keys, ownerOf, put, remove } from './queue';

const GONE_AFTER = 60_000; // ms

const locks = shared ? navigator.locks : undefined;
let release: () => void = () => {};

/** Hold the lock that says that this page lives. */
export function live(): void {
  if (locks) {
    locks.request(name + tab, () => new Promise<void>((resolve) => (release = resolve)));
  }
}

/** Leave what this page has stored to others. */
export function leave(): void {
  release();
}

/** Make the entries of pages that are gone entries of this one. */
export async function adopt(): Promise<void> {
  for (const owner of new Set(granted() ? keys().map(ownerOf) : [])) {
    if (owner === tab) {
      continue;
    }
    const take = (ours: unknown): void =>
      keys().forEach((key) => {
        if (ours && ownerOf(key) === owner && (locks || Date.now() - timeOf(key) > GONE_AFTER)) {
          const entry = disk[key];
          remove(key); // first, as the storage may be full
          put(key.replace(/[^:]*$/, tab), entry);
        }
      });
    locks ? await locks.request(name + owner, { ifAvailable: true }, take) : take(true);
  }
}

const timeOf = (key: string): number => parseInt(key.substr(name.length + 1, 8), 36);
