/**
 * Who acts: a visitor id of the device, the user who has logged in, and a session that ends after 30 minutes at rest.
 *
 * All tabs share them by the device's storage. Without consent they are in the memory of this page alone.
 */

import { disk, random, stored, tab } from './device';
import { granted, name, options } from './options';

interface Visitor {
  visitor?: string;
  user?: string;
  session?: string;
  /** When the session was active last, in milliseconds. */
  active?: number;
}

const SESSION_ENDS_AFTER = 30 * 60_000;

let visitor: Visitor = {};

/** Read what other tabs have changed. A device that cannot store it leaves us our own. */
function read(): void {
  try {
    visitor = granted() ? JSON.parse(disk[name]) : visitor;
  } catch {
    // There is nothing, or nothing that can be read.
  }
}

function write(): void {
  if (granted()) {
    stored(name, JSON.stringify(visitor));
  }
}

let token: string | undefined;

/** Go on as this user, until `forget`. A user token is never stored: it is short-lived. */
export function login(user: string, userToken?: string): void {
  read();
  visitor.user = user;
  token = userToken;
  write();
}

/** The user token for a sender, if there is one. */
export const tokenOf = (sender: string): string | undefined =>
  token && sender.includes(JSON.stringify({ user: { id: visitor.user } }).slice(1)) ? token : undefined;

/** The server does not take the user token: it has expired. */
export function dropToken(): void {
  token = undefined;
}

/** Go on as a visitor who has never been here. */
export function forget(): void {
  visitor = {};
  dropToken();
  write();
}

/** Store the ids of this page on the device. Returns a function that puts ids of the device in the place of ours. */
export function remember(): (text: string) => string {
  const ours = visitor.visitor;
  read();
  write();
  return (text) => text.split(ours!).join(visitor.visitor);
}

/** The members of a payload that say whose an event of now is, as JSON; anonymous: only that it is this page. */
export function sender(anonymous: boolean): string {
  const now = Date.now();
  read();
  if (!visitor.session || Math.abs(now - visitor.active!) > SESSION_ENDS_AFTER) {
    visitor.session = random();
  }
  visitor.visitor = visitor.visitor || random();
  visitor.active = now;
  write();
  const { source, context } = options;
  return JSON.stringify({
    source: { id: source },
    context,
    session: { id: anonymous ? tab : visitor.session },
    ...(anonymous ? {} : { visitor: { id: visitor.visitor }, user: visitor.user && { id: visitor.user } }),
  });
}
