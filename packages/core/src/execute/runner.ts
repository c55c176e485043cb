import { ownProcess, ownerVariable, signalMarked } from '../util/processes.ts';
import { runOrder } from './run-order.ts';
import type { WorkerPool } from './worker-pool.ts';
import type { AttemptCost, AttemptListener, WorkOrder } from './worker-protocol.ts';

/** Runs plugins; a simulator has one of its own. */
export interface Runner {
  /** Resolves when the plugin has; rejects with its error. Aborting asks it to stop: it still ends one way or the other. */
  run(
    order: WorkOrder,
    where: 'worker' | 'engine',
    signal: AbortSignal,
    listener: AttemptListener,
  ): Promise<AttemptCost>;
  /** Ends everything that still runs. */
  close(): Promise<void>;
}

/** The environment variable by which what one attempt starts is known. */
const attemptVariable = 'JOYUL_ATTEMPT';
let count = 0;
/**
 * As many light steps run in the engine's own process; those after them share the workers. Starting a program copies
 * the tables of the starting process's memory, so that an engine with thousands of steps is slow at it and a small worker
 * is not; a run of a few steps, on the other hand, does not wait for workers to start.
 */
const maxOwnRuns = 24;

/** Runs plugins on this machine: in worker processes, or in this one where that takes milliseconds. */
export function createRunner(): Runner {
  // Whatever is started from here on can be told from other processes, should this one die.
  process.env[ownerVariable] = ownProcess();
  let ownRuns = 0;
  let pool: Promise<WorkerPool> | undefined;
  // A run without worker steps does not load what starts processes.
  const getPool = (): Promise<WorkerPool> =>
    (pool ??= import('./worker-pool.ts').then((module) => new module.WorkerPool()));
  return {
    async run(order, where, signal, listener) {
      const attempt = `${ownProcess()}-${count++}`;
      const marked = { ...order, env: { ...order.env, [attemptVariable]: attempt } };
      const stop = (): void => {
        signalMarked(attemptVariable, attempt, 'SIGTERM');
      };
      signal.addEventListener('abort', stop);
      try {
        if (where === 'worker' || ++ownRuns > maxOwnRuns)
          return await (await getPool()).run(marked, signal, listener);
        await runOrder(marked, signal, {
          emit: (event) => {
            listener.onEvent(event);
          },
          takePrefix: (request) => Promise.try(() => listener.takePrefix(request)),
        });
        return {};
      } finally {
        signal.removeEventListener('abort', stop);
        // It has ended and was told to stop: what it left behind must not go on writing.
        if (signal.aborted) signalMarked(attemptVariable, attempt, 'SIGKILL');
      }
    },
    async close() {
      (await pool)?.close();
    },
  };
}
