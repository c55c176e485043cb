import type { TrunkReport } from './trunk-states.ts';

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

/** A sentence on where the states of frozen layers came from and where the time went. */
export function describeTrunk(report: TrunkReport, cut: number): string {
  const { texts, reused, bytes, computeMs, readMs, isInMemory } = report;
  const what = `The states of ${texts} texts after ${cut} frozen layer${cut === 1 ? '' : 's'}`;
  const size = `${(bytes / 1e6).toFixed(1)} MB, ${isInMemory ? 'held in memory' : 'read from disk batch by batch'}`;
  if (reused === texts) return `${what} were all there already (read in ${seconds(readMs)}; ${size}).`;
  const from = reused === 0 ? '' : `, ${reused} of them were there already`;
  return `${what} were computed once in ${seconds(computeMs)}${from} (read in ${seconds(readMs)}; ${size}).`;
}
