/** Timed windows: wall time, processor time of this process, and what others used of the machine meanwhile. */
import { readFileSync } from 'node:fs';
import type { Iteration } from './spec.ts';

/** Linux counts in hundredths of a second, whatever its kernel's own clock is. */
const ticksPerSecond = 100;

/** Processor seconds that the whole machine has worked; undefined where the system does not tell. */
export function readBusySeconds(): number | undefined {
  try {
    const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

interface Mark {
  readonly wallMs: number;
  readonly cpuS: number;
  readonly busyS: number | undefined;
}

function mark(): Mark {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuS: (user + system) / 1e6, busyS: readBusySeconds() };
}

/** Cuts time into windows, one an iteration; each begins where the last one ended. */
export class Windows {
  readonly iterations: Iteration[] = [];
  #mark = mark();

  end(facts: Pick<Iteration, 'loss' | 'tokens'>): void {
    const now = mark();
    const wallS = (now.wallMs - this.#mark.wallMs) / 1000;
    const cpuS = now.cpuS - this.#mark.cpuS;
    const otherCores =
      now.busyS === undefined || this.#mark.busyS === undefined
        ? null
        : Math.max(0, (now.busyS - this.#mark.busyS - cpuS) / wallS);
    this.iterations.push({ wallS, cpuS, otherCores, ...facts });
    this.#mark = now;
  }
}
