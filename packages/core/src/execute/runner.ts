import { endOrphans, killMarked, ownProcess, ownerVariable, signalMarked } from '../util/processes.ts';
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

/** How long what an attempt started may take to end when it was asked to: workers write checkpoints. */
const graceMs = { engine: 5_000, worker: 15_000 };

/** Asks all that an attempt started to end, and after a while ends it; gives what stops that. */
function stopMarked(attempt: string, where: 'worker' | 'engine'): () => void {
  signalMarked(attemptVariable, attempt, 'SIGTERM');
  // A descendant that goes on may hold the pipes for whose end its step waits.
  const timer = setTimeout(() => {
    killMarked(attemptVariable, attempt);
  }, graceMs[where]);
  return () => {
    clearTimeout(timer);
    // It has ended and was told to stop: what it left behind must not go on writing.
    killMarked(attemptVariable, attempt);
  };
}

/** Runs plugins on this machine: in worker processes, or in this one where that takes milliseconds. */
export function createRunner(): Runner {
  // Whatever is started from here on can be told from other processes, should this one die.
  process.env[ownerVariable] = ownProcess();
  let ownRuns = 0;
  let running = 0;
  // A second Ctrl-C ends the engine at once: nobody may go on without it.
  const endAll = (): void => {
    if (running > 0) endOrphans(ownProcess());
  };
  process.on('exit', endAll);
  let pool: Promise<WorkerPool> | undefined;
  // A run without worker steps does not load what starts processes.
  const getPool = (): Promise<WorkerPool> =>
    (pool ??= import('./worker-pool.ts').then((module) => new module.WorkerPool()));
  return {
    async run(order, where, signal, listener) {
      const attempt = `${ownProcess()}-${count++}`;
      const marked = { ...order, env: { ...order.env, [attemptVariable]: attempt } };
      let finishStop: (() => void) | undefined;
      const stop = (): void => {
        finishStop = stopMarked(attempt, where);
      };
      signal.addEventListener('abort', stop);
      running++;
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
      } catch (error) {
        // Its next attempt, or what another step then writes, must not be spoilt.
        killMarked(attemptVariable, attempt);
        throw error;
      } finally {
        running--;
        signal.removeEventListener('abort', stop);
        finishStop?.();
      }
    },
    async close() {
      process.off('exit', endAll);
      (await pool)?.close();
    },
  };
}
