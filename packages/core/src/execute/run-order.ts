import { pathToFileURL } from 'node:url';
import type { StepContext, StepFailure, StepPlugin } from '@joyul/plugin-api';
import { codeOf } from '../util/files.ts';
import type { SentFailure, WorkOrder } from './worker-protocol.ts';

/** Runs a step's plugin in this process. */
export async function runOrder(
  order: WorkOrder,
  signal: AbortSignal,
  answers: Pick<StepContext, 'emit' | 'takePrefix'>,
): Promise<void> {
  const module = (await import(pathToFileURL(order.entry).href)) as { readonly default: StepPlugin }; // The catalog checked its shape.
  const { entry: _entry, devices: _devices, ...rest } = order;
  const context = { ...rest, ...answers, signal } as unknown as StepContext; // Params and ports were validated against the plugin.
  // A signal that was given while the plugin was loaded is seen by no listener.
  signal.throwIfAborted();
  await module.default.run(context);
}

/** A plugin may have loaded the class of its errors from another copy of the package: only the shape counts. */
function problemsOf(error: Error): SentFailure['problems'] {
  const isFailure = error.name === 'StepFailure' && 'problems' in error && Array.isArray(error.problems);
  return isFailure ? (error as StepFailure).problems : []; // The name and the shape say so.
}

/** An error in a form that can be sent and recorded. */
export function describeError(error: unknown): SentFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), problems: [] };
  const help = 'help' in error && typeof error.help === 'string' ? error.help : undefined;
  const code = codeOf(error);
  return {
    name: error.name,
    message: error.message,
    problems: problemsOf(error),
    ...(code === undefined ? {} : { code }),
    ...(help === undefined ? {} : { help }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}
