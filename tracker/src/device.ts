/** The storage of this device. Where the browser has none or forbids it, that of this page takes its place. */

export type Texts = Record<string, string>;

/** Forgotten with the page: what must not be stored, or does not fit. */
export const memory: Texts = {};

/** Shared by all tabs, and kept. Only what the visitor has agreed to is written. */
export let disk: Texts = {};

/** Whether `disk` is shared with other tabs. */
export let shared = false;

try {
  disk = localStorage as unknown as Texts;
  shared = !!Object.keys(disk);
} catch {
  disk = {};
}

/** Store a text, or return false: the storage is full. */
export function stored(key: string, text: string): boolean {
  try {
    disk[key] = text;
    return true;
  } catch {
    return false;
  }
}

/** An id that nobody can guess: 128 bits. */
export const random = (): string =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('');

/** The id of this page in this tab, which is never stored for itself. */
export const tab = random();
