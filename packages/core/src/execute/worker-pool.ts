import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PrefixRequest } from '@joyul/plugin-api';
import { codeOf } from '../util/files.ts';
import { AttemptFailure } from './attempt-failure.ts';
import type { AttemptCost, AttemptListener, FromWorker, ToWorker, WorkOrder } from './worker-protocol.ts';

/** How long a cancelled step may take to write a checkpoint, and then to end. */
const graceMs = { abort: 10_000, terminate: 5_000 };

/** True for lines that native libraries write about their own start, in the form of Google's logging: no step wrote them. */
const isChatter = (line: string): boolean =>
  /^(?:I\d{4} \d\d:\d\d:\d\d\.\d+ |WARNING: All log messages before absl::)/.test(line);

/** A worker process and who listens to it. */
class Worker {
  readonly process: ChildProcess;
  #listener: AttemptListener | undefined;
  #settle:
    { readonly resolve: (cost: AttemptCost) => void; readonly reject: (error: Error) => void } | undefined;
  isAlive = true;
  /** The devices that its libraries see, which is settled when they load. */
  readonly devices: string;

  constructor(devices: Readonly<Record<string, string>>) {
    this.devices = JSON.stringify(devices);
    // Beside this file, and in the same form: TypeScript, or built.
    const file = fileURLToPath(new URL(`./worker-main${extname(import.meta.url)}`, import.meta.url));
    // A process group of its own, so that what it starts ends with it.
    this.process = fork(file, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: process.platform !== 'win32',
      env: { ...process.env, ...devices },
      serialization: 'json',
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = this.process[stream];
      if (input !== null)
        createInterface({ input }).on('line', (text) => {
          if (!isChatter(text)) this.#listener?.onOutput(stream, text);
        });
    }
    this.process.on('message', (message: FromWorker) => {
      this.#receive(message);
    });
    this.process.on('error', (error) => {
      this.#end(new AttemptFailure({ code: 'WORKER_DIED', message: error.message }));
    });
    this.process.on('exit', (code, signal) => {
      this.isAlive = false;
      const how = signal === null ? `with exit code ${code ?? 'unknown'}` : `by ${signal}`;
      const help =
        signal === 'SIGKILL'
          ? 'The system may have run out of memory: use a smaller batch_size or max_length.'
          : undefined;
      this.#end(
        new AttemptFailure({
          code: 'WORKER_DIED',
          message: `The step's process ended ${how}.`,
          ...(help === undefined ? {} : { help }),
        }),
      );
    });
  }

  run(order: WorkOrder, listener: AttemptListener): Promise<AttemptCost> {
    this.#listener = listener;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.send({ kind: 'run', order });
    });
  }

  send(message: ToWorker): void {
    if (this.process.connected) this.process.send(message);
  }

  /** Ends the whole process group. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.process;
    if (!this.isAlive || pid === undefined) return;
    try {
      if (process.platform === 'win32') this.process.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      this.process.kill(signal); // The group is gone already.
    }
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'event') this.#listener?.onEvent(message.event);
    else if (message.kind === 'take-prefix') this.#answer(message.request);
    else if (message.kind === 'done') {
      this.#settle?.resolve({ cpuMs: message.cpuMs, peakMemoryBytes: message.peakMemoryBytes });
      this.#settle = undefined;
    } else this.#end(AttemptFailure.from(message.failure));
  }

  #answer(request: PrefixRequest): void {
    try {
      const prefix = this.#listener?.takePrefix(request) ?? {};
      this.send({ kind: 'prefix', prefix });
    } catch (error) {
      const code = codeOf(error);
      const message = error instanceof Error ? error.message : String(error);
      this.send({ kind: 'no-prefix', message, ...(code === undefined ? {} : { code }) });
    }
  }

  #end(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
  }
}

/** Worker processes that are kept between steps, so that TensorFlow loads once. */
export class WorkerPool {
  readonly #all = new Set<Worker>();
  readonly #idle: Worker[] = [];

  /** Runs an order in an idle worker or a new one. */
  async run(order: WorkOrder, signal: AbortSignal, listener: AttemptListener): Promise<AttemptCost> {
    signal.throwIfAborted();
    const worker = this.#take(order.devices);
    const timers: NodeJS.Timeout[] = [];
    const cancel = (): void => {
      worker.send({ kind: 'abort' });
      timers.push(
        setTimeout(() => {
          worker.kill('SIGTERM');
        }, graceMs.abort),
      );
      timers.push(
        setTimeout(() => {
          worker.kill('SIGKILL');
        }, graceMs.abort + graceMs.terminate),
      );
    };
    signal.addEventListener('abort', cancel);
    try {
      const cost = await worker.run(order, listener);
      if (worker.isAlive) this.#idle.push(worker);
      return cost;
    } catch (error) {
      // Whatever state a failed step left behind ends with its process, and so do the processes it started.
      worker.kill('SIGKILL');
      this.#all.delete(worker);
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
      for (const timer of timers) clearTimeout(timer);
    }
  }

  #take(devices: Readonly<Record<string, string>>): Worker {
    const wanted = JSON.stringify(devices);
    const at = this.#idle.findIndex((idle) => idle.isAlive && idle.devices === wanted);
    const [idle] = at === -1 ? [] : this.#idle.splice(at, 1);
    if (idle !== undefined) return idle;
    const worker = new Worker(devices);
    this.#all.add(worker);
    return worker;
  }

  /** Ends all workers. */
  close(): void {
    for (const worker of this.#all) worker.kill('SIGKILL');
    this.#all.clear();
    this.#idle.length = 0;
  }
}
