/** The pipelines that every tool runs: the same steps, commands and files for all of them. */

/** One step: a shell command that joins its inputs into its output and leaves a line in the log of what ran. */
export interface Step {
  readonly id: string;
  readonly command: string;
  /** The source file that it reads, relative to the project; absent means none. */
  readonly source?: string;
  /** Ids of the steps whose outputs it reads, in the order in which it reads them. */
  readonly needs: readonly string[];
  /** All files that it reads: its source, then the outputs of what it needs. */
  readonly reads: readonly string[];
  readonly output: string;
}

/** A pipeline and the files that it starts from. */
export interface Workload {
  readonly name: string;
  /** Each after all that it needs; the last one needs, directly or not, all others. */
  readonly steps: readonly Step[];
  /** What `leaf` changes, and how many steps have to run again because of it. */
  readonly leaf: { readonly source: string; readonly reruns: number };
}

/** Every command appends its step's id to this file, relative to the project. */
export const ranLog = 'ran.log';

const outputOf = (id: string): string => `out/${id}.txt`;
const sourceOf = (id: string): string => `src/${id}.txt`;

interface StepOptions {
  readonly needs?: readonly string[];
  readonly hasSource?: boolean;
  /** What the command reads, where a list of its inputs would be too long for a command line. */
  readonly pattern?: string;
}

function makeStep(id: string, { needs = [], hasSource = true, pattern }: StepOptions = {}): Step {
  const reads = [...(hasSource ? [sourceOf(id)] : []), ...needs.map(outputOf)];
  return {
    id,
    command: `echo ${id} >> ${ranLog} && cat ${pattern ?? reads.join(' ')} > ${outputOf(id)}`,
    ...(hasSource ? { source: sourceOf(id) } : {}),
    needs,
    reads,
    output: outputOf(id),
  };
}

/** The nine usual steps of fine-tuning, wired as they usually are. */
function makeNine(): Workload {
  const needs: Readonly<Record<string, readonly string[]>> = {
    prepare: [],
    select: ['prepare'],
    strategy: ['prepare', 'select'],
    hparams: ['prepare', 'select', 'strategy'],
    init: ['prepare', 'select', 'strategy'],
    train: ['prepare', 'init', 'strategy', 'hparams'],
    evaluate: ['train', 'prepare'],
    test: ['train', 'prepare', 'select', 'evaluate'],
    deploy: ['train', 'test', 'prepare', 'select'],
  };
  return {
    name: 'nine',
    steps: Object.entries(needs).map(([id, before]) => makeStep(id, { needs: before })),
    leaf: { source: sourceOf('evaluate'), reruns: 3 },
  };
}

const numbered = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(5, '0')}`);

/** Steps that need nothing of each other, and one that joins them. */
function makeWide(count: number): Workload {
  const ids = numbered('s', count);
  const join = makeStep('join', { needs: ids, hasSource: false, pattern: 'out/s*.txt' });
  return {
    name: `wide-${count}`,
    steps: [...ids.map((id) => makeStep(id)), join],
    leaf: { source: sourceOf(ids[Math.floor(count / 2)] ?? ''), reruns: 2 },
  };
}

/** Steps of which each needs the one before. */
function makeChain(count: number): Workload {
  const ids = numbered('c', count);
  return {
    name: `chain-${count}`,
    steps: ids.map((id, index) => makeStep(id, { needs: ids.slice(Math.max(0, index - 1), index) })),
    leaf: { source: sourceOf(ids.at(-1) ?? ''), reruns: 1 },
  };
}

/** All workloads, by name; they are measured in this order, so that what the targets need comes first. */
export const workloads: ReadonlyMap<string, () => Workload> = new Map([
  ['nine', makeNine],
  ['wide-1000', () => makeWide(1000)],
  ['chain-100', () => makeChain(100)],
  ['chain-1000', () => makeChain(1000)],
  ['wide-10000', () => makeWide(10_000)],
  ['wide-100', () => makeWide(100)],
]);

/** What each source file holds at first. */
export function makeSources(workload: Workload): Map<string, string> {
  const sources = new Map<string, string>();
  for (const { id, source } of workload.steps) if (source !== undefined) sources.set(source, `${id}\n`);
  return sources;
}

/** What the last step's output has to hold, given what the sources hold. */
export function expectResult(workload: Workload, sources: ReadonlyMap<string, string>): string {
  const outputs = new Map<string, string>();
  let result = '';
  for (const { id, source, needs } of workload.steps) {
    const own = source === undefined ? '' : (sources.get(source) ?? '');
    result = own + needs.map((need) => outputs.get(need) ?? '').join('');
    outputs.set(id, result);
  }
  return result;
}
