/**
 * headrace.js: sends the events of a page to Headrace.
 *
 * A page calls `headrace('track', 'order-completed', {total: 620})`, also before this script has come, or after that
 * `headrace.track(…)`. Nothing is stored on the device unless the consent is `granted`.
 */

import { flush, retry, schedule } from './delivery';
import { disk } from './device';
import { Consent, granted, name, options, Options, setOptions, setState, state, warn } from './options';
import { page, watch } from './pages';
import { add, clear, persist } from './queue';
import { forget, login, remember, sender } from './visitor';

type Call = [string, ...unknown[]];

const script = document.currentScript as HTMLScriptElement | null;

function track(type: string, properties?: object): void {
  if (state === 'denied') {
    return;
  }
  const personal = type === 'identify' || type === 'consent-changed'; // says nothing without a profile
  add(sender(!granted() && options.beforeConsent === 'anonymous' && !personal), type, properties);
  schedule();
}

function setConsent(given: Consent): void {
  setState(given);
  if (granted()) {
    persist(remember());
    flush();
  } else {
    clear();
    forget();
  }
}

const api: Record<string, (...args: any[]) => void> = {
  /** Begin. Call it before the others. */
  init(given: Options) {
    if (options) {
      return;
    }
    setOptions({ url: script ? script.src.replace(/\/[^/]*$/, '') : '', ...given });
    setConsent(given.consent || (disk[name] ? 'granted' : 'unknown'));
    addEventListener('online', retry);
    addEventListener('storage', (event) => {
      // Another tab has granted or withdrawn the consent.
      if (!event.key || event.key === name) {
        event.newValue ? state === 'unknown' && setConsent('granted') : granted() && setConsent('denied');
      }
    });
    watch(track, given.pages + '' !== 'false');
  },
  track,
  page: (properties?: object) => page(track, properties),
  /** Go on as a user who has logged in, and send the traits; without a user, only these. */
  identify(user: string | null, traits?: object, userToken?: string) {
    if (user && state !== 'denied') {
      login(user, userToken);
    }
    track('identify', traits);
  },
  /** `granted`, `denied` or `unknown`: whether the visitor may be remembered. An object: consents of the profile. */
  consent(given: Consent | object) {
    typeof given === 'string' ? setConsent(given) : track('consent-changed', { consents: given });
  },
  /** Go on as an unknown visitor, after a logout. */
  reset: forget,
};

function headrace(...[name, ...args]: Call): void {
  try {
    name === 'init' || options ? api[name](...args) : warn('call init first');
  } catch (error) {
    warn(error); // the page goes on
  }
}

const early = (window as any).headrace;
if (!early || !early.track) {
  for (const name of Object.keys(api)) {
    (headrace as any)[name] = headrace.bind(null, name);
  }
  (window as any).headrace = headrace;
  if (script && script.dataset.source) {
    headrace('init', script.dataset);
  }
  ((early && early.q) || []).forEach((call: Call) => headrace(...call));
}
