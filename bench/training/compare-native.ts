/** Our side alone, on several releases of TensorFlow's C library. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { align } from '../shared/align.ts';
import type { Case, Contestant } from './cases.ts';
import { ours } from './cases.ts';
import { summarize } from './judge.ts';
import type { NativeProbe } from './native-probe.ts';
import type { CaseRuns } from './run-case.ts';

const exec = promisify(execFile);
const setup = join(import.meta.dirname, '..', '..', 'packages', 'compute', 'src', 'native', 'setup.ts');

/** Everyone of one comparison: our side in both precisions on each release, the releases in turns. */
export function contestantsOn(item: Case, releases: readonly string[]): readonly Contestant[] {
  return ours.flatMap((contestant) => releases.map((tensorflow) => ({ ...contestant, tensorflow })));
}

/** Sets a release up beside the pinned one, and tries what it can do. */
async function probe(release: string): Promise<NativeProbe> {
  const env = { ...process.env, JOYUL_TENSORFLOW: release };
  await exec(process.execPath, [setup], { env });
  const { stdout } = await exec(process.execPath, [join(import.meta.dirname, 'native-probe.ts')], { env });
  return JSON.parse(stdout) as NativeProbe; // Printed by native-probe.ts.
}

/** Sets all releases up and tells what each can do, the best of `repeats` rounds. */
export async function probeReleases(releases: readonly string[], repeats: number): Promise<string> {
  const probes = new Map<string, NativeProbe>();
  for (let round = 0; round < repeats; round++) {
    for (const release of releases) {
      const known = probes.get(release);
      const found = await probe(release);
      const gflops = Object.fromEntries(
        Object.entries(found.gflops).map(([name, value]) => [
          name,
          Math.max(value, known?.gflops[name] ?? 0),
        ]),
      );
      probes.set(release, { ...found, gflops });
    }
  }
  const names = Object.keys([...probes.values()][0]?.gflops ?? {});
  const rows = [...probes].map(([release, { version, compiles, gflops }]) => [
    release,
    compiles ? 'yes' : 'NO',
    ...names.map((name) => (gflops[name] ?? 0).toFixed(0)),
    version === release ? '' : `but it says that it is ${version}`,
  ]);
  return `GFLOPS, best of ${repeats} processes\n${align([['TensorFlow', 'compiles', ...names, ''], ...rows])}\n`;
}

/** One case on all releases; ratios are to the first one. */
export function formatComparison(runs: CaseRuns & Case): string {
  const isRagged = runs.workload === 'ragged';
  const summaries = runs.entrants.map((entrant) => ({
    ...summarize(entrant, isRagged),
    tensorflow: entrant.tensorflow ?? '',
  }));
  const rows = summaries.map((summary) => {
    const { tensorflow, precision, best, median, perCpuSecond, peakMiB, problem } = summary;
    if (problem !== undefined) return [tensorflow, precision, `failed: ${problem.slice(0, 60)}`];
    const first = summaries.find((other) => other.precision === precision);
    return [
      tensorflow,
      precision,
      best.toFixed(0),
      median.toFixed(0),
      perCpuSecond.toFixed(0),
      peakMiB.toFixed(0),
      (best / (first?.best ?? Number.NaN)).toFixed(2),
    ];
  });
  const header = [
    'TensorFlow',
    'precision',
    'tok/s best',
    'median',
    'tok/CPU s',
    'peak MiB',
    'speed ÷ first',
  ];
  return `${runs.name}\n${align([header, ...rows])}\n`;
}
