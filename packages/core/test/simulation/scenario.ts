import { createHash } from 'node:crypto';
import type { Graph, GraphStep, PluginFacts } from '../../src/graph/graph.ts';
import type { Random } from './random.ts';

/** Where the simulated project lies. */
export const projectDir = '/project';

const plugin: PluginFacts = {
  name: 'simulated',
  revision: 1,
  packageName: 'simulated',
  version: '1.0.0',
  entry: '/simulated.js',
  codeDigest: 'code',
  inputs: { inputs: { type: 'files', many: true, optional: true } },
};

const sources = ['a.txt', 'b.txt', 'c.txt'] as const;

/** Text that says what a step does: its outputs are a function of it and of what it reads. */
interface Params {
  readonly word: string;
  readonly sizeBytes: number;
}

const pools = { cpu: 4, memory: 8, gpu: 2 } as const;

function makeStep(random: Random, index: number, before: readonly GraphStep[]): GraphStep {
  const id = `s${index}`;
  const enabled = before.filter((step) => step.isEnabled);
  const needed = random.some(enabled, 0.4).slice(0, 3);
  // Equal words and needs give equal fingerprints: two steps of one run then want the same result.
  const params: Params = {
    word: `w${random.integer(6)}`,
    sizeBytes: random.chance(0.05) ? 1_100_000 : random.pick([3, 40, 3000]),
  };
  const isInProject = random.chance(0.4);
  const reads = random.some(sources, 0.3);
  return {
    id,
    group: random.chance(0.3) ? 'twins' : id,
    plugin: random.chance(0.05) ? { ...plugin, cacheable: false } : plugin,
    params: { ...params },
    inputs: { inputs: needed.map((step) => ({ step: step.id, port: 'out' })) },
    outputs: { out: { type: 'files' }, ...(random.chance(0.3) ? { more: { type: 'files' } } : {}) },
    workspace: { reads, ...(isInProject ? { writes: { out: `out/${id}.txt` } } : {}) },
    needs: needed.map((step) => step.id).sort(),
    retry: {
      attempts: 1 + random.integer(3),
      delayMs: 100,
      factor: 2,
      maxDelayMs: 1000,
      jitter: random.next(),
      ...(random.chance(0.2) ? { on: ['FLAKY'] } : {}),
    },
    ...(random.chance(0.1) ? { timeoutMs: 400 } : {}),
    resources: { cpu: 1 + random.integer(3), ...(random.chance(0.2) ? { gpu: 1 } : {}) },
    cache: random.chance(0.05) ? random.pick(['ro', 'wo', 'off']) : 'rw',
    environment: {},
    isEnabled: !random.chance(0.05),
  };
}

/** A pipeline of one to eight steps, wired as it happens. */
export function makeGraph(random: Random): Graph {
  const steps: GraphStep[] = [];
  const count = 1 + random.integer(8);
  for (let index = 0; index < count; index++) steps.push(makeStep(random, index, steps));
  return {
    name: 'simulated',
    projectDir,
    file: 'pipeline.yaml',
    params: {},
    seed: 42,
    steps,
    byId: new Map(steps.map((step) => [step.id, step])),
    pools,
    devices: { gpu: ['0', '1'] },
  };
}

const hash = (parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('hex');

/** What a step writes to one port, from what it is given. */
export function computeOutput(params: unknown, port: string, inputs: readonly string[]): string {
  const { word, sizeBytes } = params as Params; // Made above.
  const line = `${hash([word, port, ...inputs])}\n`;
  return line.repeat(Math.max(1, Math.ceil(sizeBytes / line.length)));
}

/** The right content of every output, by `step.port`, from the sources as they are. */
export function computeAll(graph: Graph, readSource: (name: string) => string): ReadonlyMap<string, string> {
  const outputs = new Map<string, string>();
  for (const step of graph.steps) {
    if (!step.isEnabled) continue;
    const inputs = [
      ...(step.inputs['inputs'] ?? []).map(({ step: need, port }) => outputs.get(`${need}.${port}`) ?? ''),
      ...(step.workspace.reads ?? []).map(readSource),
    ];
    for (const port of Object.keys(step.outputs))
      outputs.set(`${step.id}.${port}`, computeOutput(step.params, port, inputs));
  }
  return outputs;
}
