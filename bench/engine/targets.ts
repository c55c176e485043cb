/** What Joyul's engine has to reach, each judged from the figures of one run. */
import type { Summary } from '../shared/measure.ts';
import type { WorkloadResult } from './run-workload.ts';
import type { Case } from './tool.ts';

/** One target and what was seen. */
export interface Target {
  readonly name: string;
  readonly limit: number;
  readonly unit: 'x' | 's' | 'MiB';
  /** From the fastest runs, which other work on the machine disturbs least; absent when it was not measured. */
  readonly seen?: number;
  /** The same from the medians. */
  readonly seenMedian?: number;
  /** The same from the least processor time. */
  readonly seenCpu?: number;
  readonly isMet?: boolean;
}

type Read = (summary: Summary) => number;
const fastest: Read = (summary) => summary.wallMinMs;
const middle: Read = (summary) => summary.wallMedianMs;
const leastCpu: Read = (summary) => summary.cpuMinMs;

/** Finds figures of a run; an absent one is NaN, and what is computed from it is absent as well. */
class Figures {
  readonly #results: ReadonlyMap<string, WorkloadResult>;

  constructor(results: readonly WorkloadResult[]) {
    this.#results = new Map(results.map((result) => [result.name, result]));
  }

  summary(workload: string, tool: string, kind: Case): Summary | undefined {
    const cells = this.#results.get(workload)?.cells ?? [];
    return cells.find((cell) => cell.tool === tool && cell.kind === kind)?.summary;
  }

  wall(workload: string, tool: string, kind: Case, read: Read): number {
    const summary = this.summary(workload, tool, kind);
    return summary === undefined ? Number.NaN : read(summary);
  }

  ratio(workload: string, tool: string, kind: Case, read: Read): number {
    return this.wall(workload, 'joyul', kind, read) / this.wall(workload, tool, kind, read);
  }

  /** Time of a step, without a start-up that is the same at any size. */
  perStep(workload: string, tool: string, kind: Case, read: Read): number {
    const startUp = this.wall(workload, 'node -e 0', kind, read);
    const steps = this.#results.get(workload)?.steps ?? Number.NaN;
    return (this.wall(workload, tool, kind, read) - startUp) / steps;
  }
}

function makeTarget(name: string, limit: number, unit: Target['unit'], see: (read: Read) => number): Target {
  const seen = see(fastest);
  if (!Number.isFinite(seen)) return { name, limit, unit };
  return { name, limit, unit, seen, seenMedian: see(middle), seenCpu: see(leastCpu), isMet: seen <= limit };
}

/** Judges all targets. */
export function judge(results: readonly WorkloadResult[]): readonly Target[] {
  const figures = new Figures(results);
  const against = (workload: string, kind: Case, tool: string, limit: number): Target =>
    makeTarget(`${workload} ${kind}, of ${tool}`, limit, 'x', (read) =>
      figures.ratio(workload, tool, kind, read),
    );
  const growth = (larger: string, smaller: string, limit: number): Target =>
    makeTarget(`noop per step, ${larger} of ${smaller}`, limit, 'x', (read) => {
      const [large, small] = [larger, smaller].map((name) => figures.perStep(name, 'joyul', 'noop', read));
      return (large ?? Number.NaN) / (small ?? Number.NaN);
    });
  const spawning = (workload: string, what: string, ofFloor: (times: number) => number): Target =>
    makeTarget(`${workload} fresh, ${what} per step, of spawning it`, 1.5, 'x', (read) => {
      const [own, floor] = ['joyul', 'spawn'].map((tool) => figures.perStep(workload, tool, 'fresh', read));
      return ofFloor((own ?? Number.NaN) / (floor ?? Number.NaN));
    });
  const peakOf = (kind: Case): number => figures.summary('wide-10000', 'joyul', kind)?.peakMiB ?? Number.NaN;
  return [
    against('nine', 'noop', 'turbo', 1),
    against('nine', 'noop', 'node -e 0', 2),
    against('wide-1000', 'noop', 'turbo', 0.5),
    against('wide-1000', 'noop', 'turbo+git', 0.5),
    against('wide-1000', 'restore', 'turbo', 0.5),
    against('wide-1000', 'restore', 'turbo+git', 0.5),
    makeTarget('wide-10000 noop', 1, 's', (read) => figures.wall('wide-10000', 'joyul', 'noop', read) / 1000),
    growth('wide-10000', 'wide-1000', 1.3),
    growth('chain-1000', 'chain-100', 1),
    spawning('wide-1000', 'overhead', (times) => times - 1),
    spawning('wide-1000', 'whole time', (times) => times),
    makeTarget('wide-10000 peak memory', 300, 'MiB', () => Math.max(peakOf('fresh'), peakOf('noop'))),
  ];
}
