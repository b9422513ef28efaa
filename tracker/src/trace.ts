/** Prints the answers of the server in the browser's console. */

import { options, warn } from './options';

interface Run {
  flow?: string;
  outcome: string;
  reason?: unknown;
  steps?: { node: string; port?: string }[];
}

/** An answer of `/track`, or a problem document. */
export interface Answer {
  detail?: string;
  errors?: unknown[];
  debugging?: { execution: Record<string, { type: string; disposition: string; runs?: Run[] }> };
}

/** Print what the server has refused, and with the option `debugger` the trace of every flow. */
export function report(status: number, answer: Answer = {}): void {
  if (status > 299 || answer.errors) {
    warn('the server refused events:', status, answer.detail || '', answer.errors || '');
  }
  if (!options.debugger || !answer.debugging) {
    return;
  }
  for (const event of Object.values(answer.debugging.execution)) {
    console.group(`${event.type}: ${event.disposition}`);
    for (const run of event.runs || []) {
      console.group(`${run.flow || '(before flows)'}: ${run.outcome}`);
      run.reason && console.log(run.reason);
      (run.steps || []).forEach((step) => console.log(`${step.node} → ${step.port || 'end'}`, step));
      console.groupEnd();
    }
    console.groupEnd();
  }
}
