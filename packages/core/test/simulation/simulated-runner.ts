import type { GraphStep } from '../../src/graph/graph.ts';
import type { Runner } from '../../src/execute/runner.ts';
import type { AttemptListener, WorkOrder } from '../../src/execute/worker-protocol.ts';
import type { FileSystem } from '../../src/util/file-system.ts';
import { listFiles, writeFile } from '../../src/util/files.ts';
import { computeOutput, projectDir } from './scenario.ts';
import type { SimulatedProcess, World } from './world.ts';

/** How steps behave in one run. */
export interface Mood {
  /** Share of attempts that fail half-way. */
  readonly flaky: number;
  /** How long an attempt may take. */
  readonly longestMs: number;
}

const decoder = new TextDecoder();

/** Keeps an eye on what runs, and tells what must never be. */
export class Watch {
  readonly problems: string[] = [];
  readonly #running = new Map<string, { readonly process: SimulatedProcess; readonly step: GraphStep }>();
  attempts = 0;

  begin(
    key: string,
    step: GraphStep,
    process: SimulatedProcess,
    pools: Readonly<Record<string, number>>,
  ): void {
    this.attempts++;
    for (const [other, { process: owner, step: running }] of this.#running) {
      if (!owner.isAlive) this.#running.delete(other);
      else if (other.startsWith(`${key.split('#')[0]}#`))
        this.problems.push(
          `${step.id} of ${process.name} and ${running.id} of ${owner.name} compute the same`,
        );
    }
    this.#running.set(key, { process, step });
    for (const [pool, capacity] of Object.entries(pools)) {
      let taken = 0;
      for (const running of this.#running.values())
        if (running.process === process) taken += running.step.resources[pool] ?? 0;
      if (taken > capacity)
        this.problems.push(`${process.name} takes ${taken} of ${pool}, which has ${capacity}`);
    }
  }

  end(key: string): void {
    this.#running.delete(key);
  }
}

/** Runs steps that write what {@link computeOutput} says, slowly and in pieces. */
export class SimulatedRunner implements Runner {
  readonly #world: World;
  readonly #process: SimulatedProcess;
  readonly #watch: Watch;
  readonly #steps: ReadonlyMap<string, GraphStep>;
  readonly #mood: Mood;
  readonly #pools: Readonly<Record<string, number>>;

  constructor(parts: {
    readonly world: World;
    readonly process: SimulatedProcess;
    readonly watch: Watch;
    readonly steps: ReadonlyMap<string, GraphStep>;
    readonly pools: Readonly<Record<string, number>>;
    readonly mood: Mood;
  }) {
    this.#world = parts.world;
    this.#process = parts.process;
    this.#watch = parts.watch;
    this.#steps = parts.steps;
    this.#pools = parts.pools;
    this.#mood = parts.mood;
  }

  async run(
    order: WorkOrder,
    _where: string,
    signal: AbortSignal,
    listener: AttemptListener,
  ): Promise<object> {
    const step = this.#steps.get(order.stepId);
    if (step === undefined) throw new Error(`There is no step ${order.stepId}.`);
    const key = `${order.scratch}#${order.stepId}`;
    this.#watch.begin(key, step, this.#process, this.#pools);
    // A child of its own: it may go on when the engine is gone.
    let isKilled = false;
    this.#world.addChild(this.#process, () => {
      isKilled = true;
    });
    const child = this.#world.disk.hands;
    const { random } = this.#world;
    const pause = async (): Promise<void> => {
      await new Promise<void>((resolve) => {
        this.#world.at(random.integer(this.#mood.longestMs / 4), resolve);
      });
      if (isKilled) await new Promise<never>(() => undefined);
    };
    try {
      listener.onEvent({ type: 'finding', text: `${order.stepId} begins` });
      await pause();
      // A dead engine's child must not outlive the whole simulation either.
      const inputs = this.#readInputs(order, step, child);
      for (const [port, target] of Object.entries(order.outputs)) {
        const content = computeOutput(order.params, port, inputs);
        const isInProject = target.startsWith(`${projectDir}/out/`);
        const file = isInProject ? target : `${target}/result.txt`;
        child.remove(file);
        writeFile(child, file, content.slice(0, content.length / 2));
        await pause();
        if (signal.aborted) throw this.#stop(order, child);
        if (random.chance(this.#mood.flaky))
          throw Object.assign(new Error('It failed half-way.'), { code: random.pick(['FLAKY', 'EXIT_3']) });
        child.remove(file);
        writeFile(child, file, content);
        await pause();
      }
      if (signal.aborted) throw this.#stop(order, child);
      return {};
    } finally {
      isKilled = true;
      if (this.#process.isAlive) this.#watch.end(key);
    }
  }

  #readInputs(order: WorkOrder, step: GraphStep, fs: FileSystem): readonly string[] {
    const read = (file: string): string => decoder.decode(fs.readBytes(file));
    const folders = [order.inputs['inputs'] ?? []].flat();
    return [
      ...folders.map((folder) =>
        listFiles(fs, folder)
          .map((name) => read(`${folder}/${name}`))
          .join(''),
      ),
      ...(step.workspace.reads ?? []).map((name) => read(`${projectDir}/${name}`)),
    ];
  }

  #stop(order: WorkOrder, fs: FileSystem): Error {
    if (!this.#world.random.chance(0.5)) return new Error('It was stopped.');
    const file = `${order.scratch}/checkpoint`;
    fs.remove(file);
    writeFile(fs, file, 'half');
    return Object.assign(new Error('It stopped at a checkpoint.'), { code: 'CHECKPOINTED' });
  }

  close(): Promise<void> {
    // What still runs belongs to a process that has died.
    return Promise.resolve();
  }
}
