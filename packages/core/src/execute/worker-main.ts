/** A worker process: it runs one step after the other, so that what a plugin loads stays loaded. */
import type { Prefix } from '@joyul/plugin-api';
import { describeError, runOrder } from './run-order.ts';
import type { FromWorker, ToWorker, WorkOrder } from './worker-protocol.ts';

let running: AbortController | undefined;
/** The question that waits for the engine's answer. */
let asked: PromiseWithResolvers<Prefix> | undefined;

function send(message: FromWorker): void {
  process.send?.(message);
}

async function work(order: WorkOrder): Promise<void> {
  const before = process.cpuUsage();
  const controller = new AbortController();
  running = controller;
  try {
    await runOrder(order, controller.signal, {
      emit: (event) => {
        send({ kind: 'event', event });
      },
      takePrefix: (request) => {
        asked = Promise.withResolvers();
        send({ kind: 'take-prefix', request });
        return asked.promise;
      },
    });
    const { user, system } = process.cpuUsage(before);
    send({
      kind: 'done',
      cpuMs: (user + system) / 1000,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    });
  } catch (error) {
    send({ kind: 'failed', failure: describeError(error) });
  } finally {
    running = undefined;
  }
}

process.on('message', (message: ToWorker) => {
  if (message.kind === 'run') void work(message.order);
  else if (message.kind === 'prefix') asked?.resolve(message.prefix);
  else if (message.kind === 'no-prefix')
    asked?.reject(
      Object.assign(new Error(message.message), message.code === undefined ? {} : { code: message.code }),
    );
  else running?.abort(new Error('The run was cancelled.'));
});
// SIGTERM asks for a checkpoint, as a scheduler does before it takes a machine away.
process.on('SIGTERM', () => {
  running?.abort(new Error('The run was cancelled.'));
});
// Ctrl-C reaches the whole terminal; the engine decides what is cancelled and when.
process.on('SIGINT', () => undefined);
// The engine is gone: nobody takes the result.
process.on('disconnect', () => {
  process.exit(1);
});
