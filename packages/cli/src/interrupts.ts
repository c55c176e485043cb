import { endOrphans, ownProcess } from '@joyul/core';
import { exitCodes } from './exit-codes.ts';

/** What asks a run to end: Ctrl-C, a scheduler or `joyul cancel`, and a terminal that is closed. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ends a run when it is asked to: steps then write checkpoints. A second Ctrl-C ends it at once. */
export function cancelOnInterrupt(
  onFirst: () => void,
  onEnd: () => void,
): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      controller.abort(new Error('The run was cancelled.'));
      onFirst();
      return;
    }
    // Whoever asks again by another way still waits for the checkpoints.
    if (signal !== 'SIGINT') return;
    onEnd();
    endOrphans(ownProcess());
    process.exit(exitCodes.interrupted);
  };
  for (const signal of signals) process.on(signal, interrupt);
  return {
    signal: controller.signal,
    stop: () => {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}
