/** A pipeline with all that can be interrupted, and what must hold of it whatever befell it. */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import type { Finished, Running } from '@joyul/testing';
import type { Random } from '../../packages/core/test/simulation/random.ts';

/**
 *     tree ──→ tool ──┐
 *     big ────────────┼→ join → end        twins (in workers, equal) ─→ end
 *     flaky, noisy ───┘          checkpoint, left-out
 */
const pipeline = `
name: campaign
params: { word: right, extra: false }
steps:
  tree: { uses: command, with: { run: "sh steps/tree.sh \${{ params.word }}", reads: [steps/tree.sh], outputs: { tree: out/tree } } }
  tool: { uses: command, with: { run: "$JOYUL_INPUT_0/bin/tool > out/tool.txt", outputs: { text: out/tool.txt } }, inputs: { inputs: tree.tree } }
  big: { uses: command, with: { run: "sh steps/big.sh \${{ params.word }}", reads: [steps/big.sh], outputs: { big: out/big.bin } } }
  flaky: { uses: command, with: { run: "sh steps/flaky.sh \${{ params.word }}", reads: [steps/flaky.sh], outputs: { text: out/flaky.txt } }, retry: { attempts: 3, delay: 5ms, on: [9] } }
  noisy: { uses: command, with: { run: "sh steps/noisy.sh \${{ params.word }}", reads: [steps/noisy.sh], outputs: { text: out/noisy.txt } } }
  checkpoint: { uses: command, with: { run: "sh steps/checkpoint.sh \${{ params.word }}", reads: [steps/checkpoint.sh], outputs: { text: out/checkpoint.txt } } }
  twins: { uses: twin, matrix: { n: [1, 2] }, with: { word: "\${{ params.word }}" } }
  join: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file $JOYUL_INPUT_2/file $JOYUL_INPUT_3/file $JOYUL_INPUT_4/file > out/join.txt; wc -c < $JOYUL_INPUT_1/file >> out/join.txt", outputs: { text: out/join.txt } }, inputs: { inputs: [tool.text, big.big, flaky.text, noisy.text, checkpoint.text] } }
  end: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file $JOYUL_INPUT_1/word.txt $JOYUL_INPUT_2/word.txt > out/end.txt", outputs: { text: out/end.txt } }, inputs: { inputs: [join.text, twins.words] } }
  left-out: { uses: command, if: "\${{ params.extra }}", with: { run: "echo extra > out/extra.txt", outputs: { text: out/extra.txt } } }
`;

/** What each step runs: every output is for a while half there, or wrong. */
const scripts = {
  'steps/tree.sh': `
mkdir -p out/tree/bin out/tree/deep/er; echo wrong > out/tree/deep/er/word
printf '#!/bin/sh\\necho half' > out/tree/bin/tool; sleep 0.05
echo "$1" > out/tree/deep/er/word; : > out/tree/empty
printf '#!/bin/sh\\ncat "$(dirname "$0")/../deep/er/word"\\n' > out/tree/bin/tool; sleep 0.02
chmod +x out/tree/bin/tool
`,
  'steps/big.sh': `
head -c 700000 /dev/zero | tr '\\0' x > out/big.bin; sleep 0.05
head -c 700000 /dev/zero | tr '\\0' y >> out/big.bin; echo "$1" >> out/big.bin
`,
  'steps/flaky.sh': `
echo half > out/flaky.txt
[ -e "$JOYUL_SCRATCH/tried" ] || { : > "$JOYUL_SCRATCH/tried"; exit 9; }
sleep 0.05; echo "flaky $1" > out/flaky.txt
`,
  // What it starts has left its group and writes into the output all the while.
  'steps/noisy.sh': `
setsid sh -c 'while :; do echo noise >> out/noisy.txt; sleep 0.01; done' & noise=$!
sleep 0.1; kill -9 $noise; wait $noise 2> /dev/null; echo "quiet $1" > out/noisy.txt
`,
  'steps/checkpoint.sh': `
at=$(cat "$JOYUL_SCRATCH/at" 2> /dev/null || echo 0)
trap 'echo $at > "$JOYUL_SCRATCH/at.new"; mv "$JOYUL_SCRATCH/at.new" "$JOYUL_SCRATCH/at"; exit 75' TERM
while [ "$at" -lt 6 ]; do at=$((at + 1)); sleep 0.02; done
echo "$1 $at" > out/checkpoint.txt
`,
} as const;

/** A plugin for workers; equal instances have the same fingerprint. */
const twin = `
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
export default {
  name: 'twin',
  revision: 1,
  summary: 'Writes a word.',
  params: { type: 'object', properties: { word: { type: 'string' } }, additionalProperties: false },
  inputs: {},
  outputs: { words: { type: 'files' } },
  async run({ params, outputs, signal }) {
    await writeFile(join(outputs.words, 'word.txt'), 'half');
    await sleep(60, undefined, { signal });
    await writeFile(join(outputs.words, 'word.txt'), \`\${params.word} twin\\n\`);
  },
};
`;

/** Makes a project in which nothing has run yet. */
export async function createCampaign(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': pipeline,
    ...scripts,
    'node_modules/joyul-step-twin/package.json':
      '{"name": "joyul-step-twin", "version": "1.0.0", "type": "module", "main": "src/index.js"}',
    'node_modules/joyul-step-twin/src/index.js': twin,
  });
  return rig;
}

/** Files that steps wrote, with mode and content. */
function listOutputs(rig: Rig): Readonly<Record<string, string>> {
  const root = rig.path('out');
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [
        relative(root, file),
        `${(statSync(file).mode & 0o777).toString(8)} ${readFileSync(file, 'latin1')}`,
      ]),
  );
}

/** Digests of what each step gave. */
const digestsOf = ({ events }: Finished): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    events.flatMap((event) => (event.kind === 'step-ended' ? [[event.stepId, event['outputs']]] : [])) as [
      string,
      unknown,
    ][],
  );

/** What a project that nothing ever befell ends with. */
export interface Reference {
  readonly files: Readonly<Record<string, string>>;
  readonly digests: Readonly<Record<string, unknown>>;
  /** How long the first run takes. */
  readonly durationMs: number;
}

/** Runs the pipeline undisturbed. */
export async function makeReference(): Promise<Reference> {
  await using rig = await createCampaign();
  const startMs = performance.now();
  const result = await rig.run();
  if (result.exitCode !== 0) throw new Error(`The undisturbed run failed: ${result.stdout}${result.stderr}`);
  return { files: listOutputs(rig), digests: digestsOf(result), durationMs: performance.now() - startMs };
}

/** Flags of a run that is to be disturbed; now and then something of the project is spoilt before. */
export function prepareVictim(rig: Rig, random: Random): readonly string[] {
  // A child of the last victim may still write there.
  if (random.chance(0.2))
    rmSync(rig.path(random.pick(['out', 'out/end.txt', 'out/tree'])), {
      recursive: true,
      force: true,
      maxRetries: 20,
      retryDelay: 50,
    });
  if (random.chance(0.2) && rig.has('out/join.txt')) writeFileSync(rig.path('out/join.txt'), 'by hand\n');
  return [
    ...(random.chance(0.4) ? ['--force'] : []),
    ...(random.chance(0.3) ? ['-s', `word=${random.pick(['other', 'third'])}`] : []),
    ...(random.chance(0.3) ? ['-j', String(1 + random.integer(6))] : []),
  ];
}

function signalTo(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name);
  } catch {
    // It has ended already.
  }
}

/** Ends a run: the engine alone, its group, or everything that it started, wherever that has moved to. */
export function killRun(rig: Rig, { process: { pid } }: Running, how: 'engine' | 'group' | 'all'): void {
  if (pid === undefined) return;
  if (how === 'all') for (const id of rig.processes()) signalTo(id, 'SIGKILL');
  signalTo(how === 'group' ? -pid : pid, 'SIGKILL');
}

/** Sends a signal to a run's engine. */
export function signalRun({ process: { pid } }: Running, name: NodeJS.Signals): void {
  if (pid !== undefined) signalTo(pid, name);
}

/** All that is wrong with a project after a run that nothing befell; none when it is as one that nothing ever befell. */
export async function findProblems(rig: Rig, reference: Reference): Promise<readonly string[]> {
  const problems: string[] = [];
  const compare = (what: string, found: unknown, right: unknown): void => {
    const [left = 'nothing', other = 'nothing'] = [found, right].map((value) => JSON.stringify(value));
    if (left !== other) problems.push(`${what}: ${left.slice(0, 3000)} instead of ${other.slice(0, 3000)}`);
  };
  const last = await rig.run();
  compare('exit code and messages', [last.exitCode, last.stderr], [0, '']);
  const warnings = last.events.filter(({ kind }) => kind === 'warning' || kind === 'attempt-failed');
  compare(
    'warnings',
    warnings.filter((event) => event.stepId !== 'flaky'),
    [],
  );
  const { files } = reference;
  const found = listOutputs(rig);
  for (const name of new Set([...Object.keys(files), ...Object.keys(found)]))
    compare(`out/${name}`, found[name], files[name]);
  compare('digests', sort(digestsOf(last)), sort(reference.digests));
  compare('processes that are left', rig.processes(), []);
  const verified = await rig.joyul('cache', 'verify');
  compare('cache verify', verified.exitCode, 0);
  if (verified.exitCode !== 0) problems.push(verified.stdout);
  // Files that were just written are looked at again until their times can be told from others'.
  await sleep(60);
  const again = await rig.run();
  compare('what a run after it runs', [again.exitCode, again.ran], [0, []]);
  return problems;
}

const sort = (fields: Readonly<Record<string, unknown>>): unknown =>
  Object.entries(fields).sort(([left], [right]) => (left < right ? -1 : 1));
