import type { Event } from '../../src/events/event.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { runPipeline } from '../../src/run-pipeline.ts';
import type { RunResult } from '../../src/run-pipeline.ts';
import { digestArtifact } from '../../src/store/artifact.ts';
import { digestOf } from '../../src/util/hash.ts';
import { writeFile } from '../../src/util/files.ts';
import { Random } from './random.ts';
import { computeAll, makeGraph, projectDir } from './scenario.ts';
import { SimulatedRunner, Watch } from './simulated-runner.ts';
import type { Mood } from './simulated-runner.ts';
import type { Plan, SimulatedProcess } from './world.ts';
import { World } from './world.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const calm: Mood = { flaky: 0, longestMs: 100 };

/** A run in a process of its own. */
interface Started {
  readonly process: SimulatedProcess;
  readonly events: Event[];
  readonly cancel: AbortController;
  isOver: boolean;
  result?: RunResult;
  error?: unknown;
}

/** One project, what befalls it, and what must hold all the same. */
class Simulation {
  readonly #random: Random;
  readonly #world: World;
  readonly #graph: Graph;
  readonly #watch = new Watch();
  readonly problems: string[] = [];
  /** What happened, for a person who looks into a seed. */
  readonly story: string[] = [];

  readonly #trace: (line: string) => void;

  constructor(seed: number, trace: (line: string) => void) {
    this.#trace = trace;
    this.#random = new Random(seed);
    this.#world = new World(this.#random);
    this.#graph = makeGraph(this.#random);
    this.#world.disk.hands.makeFolder(projectDir);
    for (const name of ['a.txt', 'b.txt', 'c.txt']) this.#edit(name);
  }

  #edit(name: string): void {
    const { disk } = this.#world;
    disk.hands.remove(`${projectDir}/${name}`);
    writeFile(disk.hands, `${projectDir}/${name}`, `${this.#random.integer(4)}\n`);
    // What a person wrote is not what a power failure is about here.
    void disk.hands.flush(`${projectDir}/${name}`);
  }

  #readSource = (name: string): string =>
    decoder.decode(this.#world.disk.hands.readBytes(`${projectDir}/${name}`));

  #start(plan: Plan, mood: Mood, jobs = 1 + this.#random.integer(4)): Started {
    const process = this.#world.start(plan);
    const started: Started = { process, events: [], cancel: new AbortController(), isOver: false };
    const runner = new SimulatedRunner({
      world: this.#world,
      process,
      watch: this.#watch,
      steps: this.#graph.byId,
      pools: { ...this.#graph.pools },
      mood,
    });
    const run = async (): Promise<void> => {
      try {
        started.result = await runPipeline(this.#graph, {
          downloadDir: '/downloads',
          platform: process.platform,
          runner,
          jobs,
          keepGoing: this.#random.chance(0.5),
          signal: started.cancel.signal,
          onEvent: (event) => {
            started.events.push(event);
            this.#trace(`${this.#world.nowMs.toFixed(0)} ${process.name} ${JSON.stringify(event)}`);
          },
        });
      } catch (error) {
        started.error = error;
      }
      started.isOver = true;
    };
    void run();
    return started;
  }

  async #finish(runs: readonly Started[]): Promise<void> {
    await this.#world.until(() => runs.every((run) => run.isOver || !run.process.isAlive));
    for (const run of runs) {
      run.process.isAlive = false;
      this.#checkRun(run);
    }
  }

  /** What must hold for any run whose sources did not change meanwhile. */
  #checkRun({ events, result }: Started): void {
    const right = computeAll(this.#graph, this.#readSource);
    const ended = new Map<string, string>();
    for (const event of events) {
      if (event.kind === 'step-started') this.#checkStart(event.stepId, ended);
      if (event.kind !== 'step-ended') continue;
      if (ended.has(event.stepId)) this.problems.push(`${event.stepId} ended twice`);
      ended.set(event.stepId, event.end);
      if (event.end !== 'succeeded' && event.end !== 'reused') continue;
      for (const { port, digest } of event.outputs)
        if (digest !== this.#digestOf(event.stepId, port, right.get(`${event.stepId}.${port}`) ?? ''))
          this.problems.push(`${event.stepId}.${port} was ${event.end} with a wrong content`);
    }
    if (result === undefined) return;
    for (const { id } of this.#graph.steps) if (!ended.has(id)) this.problems.push(`${id} never ended`);
    if (events.at(-1)?.kind !== 'run-ended') this.problems.push('the run did not tell its end');
  }

  /** Of runs at the same time one computes, the others wait and take its result. */
  #checkOnce(runs: readonly Started[]): void {
    const computed = new Set<string>();
    for (const event of runs.flatMap(({ events }) => events)) {
      if (event.kind !== 'step-ended' || event.end !== 'succeeded') continue;
      const step = this.#graph.byId.get(event.stepId);
      if (step?.cache !== 'rw' || step.plugin.cacheable === false) continue;
      if (computed.has(event.fingerprint ?? '')) this.problems.push(`${event.stepId} was computed twice`);
      computed.add(event.fingerprint ?? '');
    }
  }

  #checkStart(stepId: string, ended: ReadonlyMap<string, string>): void {
    for (const need of this.#graph.byId.get(stepId)?.needs ?? [])
      if (!['succeeded', 'reused'].includes(ended.get(need) ?? ''))
        this.problems.push(`${stepId} started before ${need} had succeeded`);
  }

  #digestOf(stepId: string, port: string, content: string): string {
    const isFile = this.#graph.byId.get(stepId)?.workspace.writes?.[port] !== undefined;
    const bytes = encoder.encode(content);
    return digestArtifact([
      {
        path: isFile ? '' : 'result.txt',
        digest: digestOf(bytes),
        sizeBytes: bytes.length,
        isExecutable: false,
      },
    ]);
  }

  /** One thing that befalls the project. */
  async #befall(): Promise<void> {
    const random = this.#random;
    const kind = random.pick([
      'crash',
      'crash',
      'errors',
      'two',
      'cancel',
      'power',
      'edit',
      'spoil',
      'flaky',
      'jump',
    ]);
    this.story.push(kind);
    this.#trace(kind);
    const mood: Mood = { flaky: 0.1, longestMs: 600 };
    switch (kind) {
      case 'crash':
        await this.#finish([
          this.#start({ dieAtCall: 1 + random.integer(150), isTorn: random.chance(0.5) }, mood),
        ]);
        return;
      case 'errors': {
        const errors = random.pick([['ENOSPC'], ['EIO'], ['EMFILE'], ['ENOSPC', 'EIO', 'EMFILE']]);
        await this.#finish([this.#start({ errors, errorShare: random.pick([0.01, 0.1]) }, mood)]);
        return;
      }
      case 'two': {
        const first = this.#start({ dieAtCall: random.chance(0.3) ? 1 + random.integer(200) : 1e9 }, mood);
        const second = this.#start({ flushMs: random.pick([1, 3000]) }, mood);
        await this.#finish([first, second]);
        this.#checkOnce([first, second]);
        return;
      }
      case 'cancel': {
        const run = this.#start({}, mood);
        this.#world.at(random.integer(1000), () => run.cancel.abort());
        await this.#finish([run]);
        return;
      }
      case 'power': {
        const run = this.#start({ flushMs: random.pick([1, 100, 3000]) }, mood);
        this.#world.at(random.integer(1500), () => {
          if (!run.isOver) this.#world.losePower();
        });
        await this.#finish([run]);
        if (random.chance(0.5)) this.#world.losePower();
        return;
      }
      case 'edit':
        this.#edit(random.pick(['a.txt', 'b.txt', 'c.txt']));
        return;
      case 'spoil':
        this.#spoil();
        return;
      case 'flaky':
        await this.#finish([this.#start({}, { flaky: 0.5, longestMs: 900 })]);
        return;
      default:
        this.#world.jump(random.pick([-86_400_000, -1000, 1000, 86_400_000]));
    }
  }

  /** Somebody damages files: in the store, or what steps wrote into the project. */
  #spoil(): void {
    const random = this.#random;
    const files = this.#world.disk
      .files()
      .filter((file) => /\/(?:\.joyul\/(?!runs|reservations)|out\/)/.test(file));
    this.#world.nowMs += 100;
    for (const file of random.some(files, 0.2)) {
      if (random.chance(0.3)) this.#world.disk.hands.unlink(file);
      else
        this.#world.disk.replaceSilently(file, (bytes) => {
          const changed = bytes.slice();
          const at = random.integer(Math.max(1, changed.length));
          changed[at] = (changed[at] ?? 0) ^ 1;
          return changed;
        });
    }
    this.#world.nowMs += 100;
  }

  /** A run without faults must end well, with every byte as an undisturbed project has it; the next one runs nothing. */
  async #checkEnd(): Promise<void> {
    this.#world.nowMs += 1000;
    const last = this.#start({}, calm, 2);
    await this.#finish([last]);
    if (last.result?.end !== 'succeeded')
      this.problems.push(
        `the last run ${last.result?.end ?? String(last.error)}: ${describeFailures(last.events)}`,
      );
    const right = computeAll(this.#graph, this.#readSource);
    for (const step of this.#graph.steps) {
      if (!step.isEnabled) continue;
      for (const [port, path] of Object.entries(step.workspace.writes ?? {})) {
        const found = decoder.decode(this.#world.disk.hands.readBytes(`${projectDir}/${path}`));
        if (found !== right.get(`${step.id}.${port}`)) this.problems.push(`${path} has a wrong content`);
      }
    }
    this.#world.nowMs += 1000;
    const { attempts } = this.#watch;
    await this.#finish([this.#start({}, calm)]);
    const always = this.#graph.steps.filter(
      (step) => step.isEnabled && (step.plugin.cacheable === false || step.cache !== 'rw'),
    );
    if (always.length === 0 && this.#watch.attempts !== attempts)
      this.problems.push('a run after a good one ran something');
  }

  async run(): Promise<void> {
    const count = 1 + this.#random.integer(4);
    for (let round = 0; round < count; round++) await this.#befall();
    await this.#checkEnd();
    this.problems.push(...this.#watch.problems);
  }
}

const describeFailures = (events: readonly Event[]): string =>
  events.flatMap((event) => (event.kind === 'attempt-failed' ? [event.failure.message] : [])).join('; ');

/** Runs the scenario of a seed; gives what should never be, with what led to it. `trace` is told all that happens. */
export async function simulate(
  seed: number,
  trace: (line: string) => void = () => undefined,
): Promise<readonly string[]> {
  const simulation = new Simulation(seed, trace);
  try {
    await simulation.run();
  } catch (error) {
    simulation.problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return simulation.problems.map((problem) => `seed ${seed} (${simulation.story.join(', ')}): ${problem}`);
}
