/** One tab sends at a time: by a lock of the browser, or where it has none by a claim in the device's storage. */

import { disk, shared, stored, tab } from './device';
import { granted, name } from './options';

const CLAIM = 40_000; // ms, longer than a request may take

/** Do the work when it is this tab's turn. Returns false if another tab has a claim. */
export async function inTurn(work: () => Promise<void>): Promise<boolean> {
  if (!granted() || !shared) {
    await work();
  } else if (navigator.locks) {
    await navigator.locks.request(name, work);
  } else {
    const key = name + '!';
    const [holder, until] = (disk[key] || '').split(' ');
    const left = +until - Date.now();
    if (holder !== tab && left > 0 && left < CLAIM) {
      return false;
    }
    if (stored(key, `${tab} ${Date.now() + CLAIM}`)) {
      await new Promise((resolve) => setTimeout(resolve, 50)); // two tabs may claim at once: the last one has it
      if (!disk[key] || !disk[key].startsWith(tab)) {
        return false;
      }
    }
    await work();
    delete disk[key];
  }
  return true;
}
