import { pathToFileURL } from 'node:url';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext, StepEvent, StepPlugin } from '@joyul/plugin-api';
import { codeOf } from '../util/files.ts';
import type { SentFailure, WorkOrder } from './worker-protocol.ts';

/** Runs a step's plugin in this process. */
export async function runOrder(
  order: WorkOrder,
  signal: AbortSignal,
  emit: (event: StepEvent) => void,
): Promise<void> {
  const module = (await import(pathToFileURL(order.entry).href)) as { readonly default: StepPlugin }; // The catalog checked its shape.
  const { entry: _, ...rest } = order;
  const context = { ...rest, signal, emit } as unknown as StepContext; // Params and ports were validated against the plugin.
  await module.default.run(context);
}

/** An error in a form that can be sent and recorded. */
export function describeError(error: unknown): SentFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), problems: [] };
  const help = 'help' in error && typeof error.help === 'string' ? error.help : undefined;
  const code = codeOf(error);
  return {
    name: error.name,
    message: error.message,
    problems: error instanceof StepFailure ? error.problems : [],
    ...(code === undefined ? {} : { code }),
    ...(help === undefined ? {} : { help }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}
