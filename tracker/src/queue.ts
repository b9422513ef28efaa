/**
 * The events that are to be sent: one text each, the sender's and the event's JSON on a line of its own.
 *
 * An entry's key has the id of the event and the page that sends it, and sorts by time. Adding and removing entries are single
 * writes, so no tab overwrites what another has stored. Without consent, and where the storage is full, entries are in
 * memory.
 */

import { disk, memory, stored, tab } from './device';
import { granted, name, warn } from './options';

export interface Batch {
  sender: string;
  keys: string[];
  events: string[];
}

const MAX_ENTRIES = 500;
const MAX_LENGTH = 500_000;
const MAX_BATCH_ENTRIES = 100;
const MAX_BATCH_LENGTH = 15_000; // characters, at most three bytes each: two such requests can outlive their page

let last = 0;
let sending: Record<string, boolean> = {};

/** Queue an event; `time` is now. */
export function add(sender: string, type: string, properties?: object): void {
  last = Math.max(Date.now(), last + 1);
  const id = last.toString(36) + tab;
  put(`${name}:${id}:${tab}`, `${sender}\n${JSON.stringify({ id, type, time: new Date(), properties })}`);
  const all = keys();
  let length = all.reduce((sum, key) => sum + text(key).length, 0);
  while (all.length > MAX_ENTRIES || (length > MAX_LENGTH && all[1])) {
    const oldest = all.shift()!;
    length -= text(oldest).length;
    remove(oldest);
    warn('the queue is full: the oldest event is dropped');
  }
}

export function put(key: string, entry: string): void {
  if (!granted() || !stored(key, entry)) {
    memory[key] = entry;
  }
}

/** Store what is in memory, changed by `change`. */
export function persist(change: (text: string) => string): void {
  for (const key of Object.keys(memory)) {
    const entry = change(memory[key]);
    delete memory[key];
    put(key, entry);
  }
}

export function remove(key: string): void {
  delete memory[key];
  delete disk[key];
}

/** Remove everything from memory and from the device. */
export function clear(): void {
  keys().concat(name).forEach(remove);
}

const text = (key: string): string => memory[key] || disk[key] || '';

/** The keys of all entries, in the order of their times. */
export const keys = (): string[] =>
  Object.keys(memory)
    .concat(Object.keys(disk))
    .filter((key) => key.startsWith(name + ':'))
    .sort();

/** The page that sends an entry. */
export const ownerOf = (key: string): string => key.split(':').pop()!;

/** The next events of this page and one sender that are not being sent, which count as being sent until `release`. */
export function next(): Batch | undefined {
  let sender = '';
  let length = 0;
  const batch: Batch = { sender, keys: [], events: [] };
  for (const key of keys()) {
    const [whose, event] = text(key).split('\n');
    if (sending[key] || !event || ownerOf(key) !== tab || !(granted() || isAnonymous(whose))) {
      continue;
    }
    length += event.length;
    if (sender && (whose !== sender || length > MAX_BATCH_LENGTH || batch.keys.length >= MAX_BATCH_ENTRIES)) {
      break;
    }
    batch.sender = sender = whose;
    sending[key] = true;
    batch.keys.push(key);
    batch.events.push(event);
  }
  return sender ? batch : undefined;
}

export function release(batch: Batch): void {
  batch.keys.forEach((key) => delete sending[key]);
}

/** Whether a sender may be sent without consent. */
export const isAnonymous = (sender: string): boolean => !sender.includes('"visitor":{"id":');
