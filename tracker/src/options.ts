/** The options of `init`, and the state of the visitor's consent to being remembered on this device. */

export type Consent = 'unknown' | 'granted' | 'denied';

/** The options of `init`. As `data-` attributes of the script element they are texts: `data-before-consent`. */
export interface Options {
  /** The id of a source of the project. */
  source: string;
  /** Where Headrace answers, without `/track`; by default where the script came from. */
  url?: string;
  /** Whether the visitor has agreed; by default what this device remembers, else `unknown`. */
  consent?: Consent;
  /** While the consent is unknown: keep events in memory until the visitor decides, or send them without ids. */
  beforeConsent?: 'hold' | 'anonymous';
  /** Whether page views and the time on pages are sent; default true. */
  pages?: boolean | string;
  /** Whether the traces of the flows are printed in the browser's console. */
  debugger?: boolean | string;
  /** The context of every event. */
  context?: Record<string, unknown>;
}

export let options: Options;
export let state: Consent;
/** The name of everything that is stored on the device for this source. */
export let name: string;

export function setOptions(given: Options): void {
  options = given;
  name = 'headrace.' + given.source;
}

export function setState(given: Consent): void {
  state = given;
}

export const granted = (): boolean => state === 'granted';

export function warn(...text: unknown[]): void {
  console.warn('headrace:', ...text);
}
