import type { Platform } from '../../src/util/platform.ts';
import { Crash, Disk } from './disk.ts';
import type { Random } from './random.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/** What may befall a process. */
export interface Plan {
  /** It dies at this call to the disk, counted from its start; absent means never. */
  readonly dieAtCall?: number;
  /** The write at which it dies is half done. */
  readonly isTorn?: boolean;
  /** Share of calls that fail with one of the codes. */
  readonly errorShare?: number;
  readonly errors?: readonly string[];
  /** How long a flush may take; a slow disk takes seconds. */
  readonly flushMs?: number;
}

/** A process of the simulated machine. */
export class SimulatedProcess {
  readonly name: string;
  readonly platform: Platform;
  isAlive = true;
  calls = 0;
  readonly #world: World;
  readonly #plan: Plan;

  constructor(world: World, name: string, plan: Plan) {
    this.#world = world;
    this.name = name;
    this.#plan = plan;
    const fs = world.disk.view({ before: (call, path) => this.#before(call, path) });
    this.platform = {
      fs: {
        ...fs,
        flush: async (path) => {
          await world.sleep(world.random.integer(plan.flushMs ?? 20), this);
          await fs.flush(path);
        },
      },
      clock: {
        now: () => world.wallMs,
        elapsed: () => world.nowMs,
        sleep: (durationMs, signal) => world.sleep(durationMs, this, signal),
      },
      processes: {
        own: name,
        isAlive: (other) => world.isAlive(other),
        endOrphans: (other) => {
          world.endOrphans(other);
        },
      },
      boot: `boot ${world.boots}`,
      random: world.random.next,
    };
  }

  #before(call: string, path: string): 'torn' | undefined {
    if (!this.isAlive) throw new Crash(`${this.name} is dead`);
    const { dieAtCall, isTorn = false, errorShare = 0, errors = [] } = this.#plan;
    if (call !== 'look') this.calls++;
    if (this.calls === dieAtCall) {
      // A torn write reaches the disk in part before the process is gone.
      if (call === 'write' && isTorn) {
        queueMicrotask(() => this.die());
        return 'torn';
      }
      this.die();
      throw new Crash(`${this.name} died at call ${this.calls}, ${call} ${path}`);
    }
    if (errors.length > 0 && this.#world.random.chance(errorShare)) {
      const code = this.#world.random.pick(errors);
      if (code === 'ENOSPC' && call === 'write') return 'torn';
      throw Object.assign(new Error(`${code}: ${call} ${path}`), { code });
    }
    return undefined;
  }

  /** Gone, as by kill -9. */
  die(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#world.onDeath(this);
  }
}

/** A machine in virtual time: a disk, processes, a clock that may jump. */
export class World {
  readonly random: Random;
  readonly disk = new Disk();
  nowMs = 1_000_000;
  /** What the wall clock adds to the time; a jump changes it. */
  #skewMs = 1_700_000_000_000;
  /** How often the machine has started. */
  boots = 1;
  #order = 0;
  readonly #timers: Timer[] = [];
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #orphans: { readonly owner: string; readonly kill: () => void }[] = [];

  constructor(random: Random) {
    this.random = random;
    this.disk.now = () => this.wallMs;
  }

  get wallMs(): number {
    return Math.floor(this.nowMs + this.#skewMs);
  }

  jump(byMs: number): void {
    this.#skewMs += byMs;
  }

  start(plan: Plan = {}): SimulatedProcess {
    const name = `${1000 + this.#processes.size}-${Math.floor(this.nowMs)}`;
    const process = new SimulatedProcess(this, name, plan);
    this.#processes.set(name, process);
    return process;
  }

  isAlive(name: string): boolean {
    return this.#processes.get(name)?.isAlive === true;
  }

  /** Something that an engine started and that may outlive it. */
  addChild(owner: SimulatedProcess, kill: () => void): void {
    this.#orphans.push({ owner: owner.name, kill });
  }

  endOrphans(owner: string): void {
    for (const orphan of this.#orphans) if (orphan.owner === owner) orphan.kill();
  }

  /** Half of the children of a process that dies go on for a while. */
  onDeath(process: SimulatedProcess): void {
    for (const child of this.#orphans)
      if (child.owner === process.name && this.random.chance(0.5)) child.kill();
  }

  losePower(): void {
    this.boots++;
    for (const process of this.#processes.values()) process.isAlive = false;
    for (const child of this.#orphans) child.kill();
    this.disk.losePower(this.random);
  }

  /** Resolves later, unless its process has died: then never. */
  async sleep(durationMs: number, process: SimulatedProcess, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        if (process.isAlive) resolve();
      };
      signal?.addEventListener('abort', wake);
      this.at(durationMs, wake);
    });
  }

  at(inMs: number, fire: () => void): void {
    this.#timers.push({ atMs: this.nowMs + Math.max(0, inMs), order: this.#order++, fire });
  }

  /** Lets the virtual time go on until something is done, and gives up after a day. */
  async until(isDone: () => boolean): Promise<void> {
    const limitMs = this.nowMs + 86_400_000;
    for (;;) {
      await settle();
      if (isDone()) return;
      let next = 0;
      for (const [index, timer] of this.#timers.entries()) {
        const first = this.#timers[next];
        const isEarlier =
          first === undefined ||
          timer.atMs < first.atMs ||
          (timer.atMs === first.atMs && timer.order < first.order);
        if (isEarlier) next = index;
      }
      const [timer] = this.#timers.splice(next, 1);
      if (timer === undefined) throw new Error('Nothing happens any more, and it is not done.');
      this.nowMs = Math.max(this.nowMs, timer.atMs);
      if (this.nowMs > limitMs) throw new Error('It took more than a day.');
      timer.fire();
    }
  }
}

/** Waits until no promise has anything left to do. */
async function settle(): Promise<void> {
  for (let round = 0; round < 2; round++)
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}
