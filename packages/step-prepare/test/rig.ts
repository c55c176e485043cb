import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import type { QualityReport, Row } from '@joyul/data';
import { readDataset, readTestSplit } from '@joyul/data';
import type { StepEvent } from '@joyul/plugin-api';
import plugin from '../src/index.ts';
import type { PrepareParams } from '../src/params.ts';
import { paramsSchema } from '../src/params.ts';

/** What a run left and told. */
export interface Prepared {
  readonly train: readonly Row[];
  readonly validation: readonly Row[];
  readonly unlabelled: readonly Row[];
  readonly test: readonly Row[];
  readonly header: Awaited<ReturnType<typeof readDataset>>['header'];
  readonly quality: QualityReport;
  readonly markdown: string;
  readonly findings: readonly string[];
  readonly events: readonly StepEvent[];
}

/** Params as the engine gives them: with every default. */
export const withDefaults = (params: object): PrepareParams =>
  Value.Default(paramsSchema, structuredClone(params)) as PrepareParams; // The tests' params are right by hand.

/** Runs the step on these files of a project of its own. */
export async function prepare(
  files: Readonly<Record<string, string>>,
  params: object,
  more: { readonly seed?: number; readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<Prepared> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-prepare-'));
  const events: StepEvent[] = [];
  const outputs = { dataset: join(dir, '.out/dataset'), test: join(dir, '.out/test') };
  try {
    for (const folder of Object.values(outputs)) await mkdir(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), content);
    }
    await plugin.run({
      stepId: 'prepare',
      params: withDefaults(params),
      inputs: { files: more.input === undefined ? undefined : join(dir, more.input) },
      outputs,
      scratch: join(dir, '.scratch'),
      projectDir: dir,
      downloadDir: join(dir, '.downloads'),
      sharedDir: join(dir, '.shared'),
      seed: more.seed ?? 1,
      env: {},
      signal: more.signal ?? new AbortController().signal,
      takePrefix: () => Promise.resolve({}),
      emit: (event) => events.push(event),
    });
    const dataset = await readDataset(outputs.dataset);
    const quality = await readFile(join(outputs.dataset, 'quality.json'), 'utf8');
    return {
      train: await dataset.rows('train'),
      validation: await dataset.rows('validation'),
      unlabelled: await dataset.rows('unlabelled'),
      test: (await readTestSplit(outputs.test)).rows,
      header: dataset.header,
      quality: JSON.parse(quality) as QualityReport, // Written by the step.
      markdown: await readFile(join(outputs.dataset, 'quality.md'), 'utf8'),
      findings: events.flatMap((event) => (event.type === 'finding' ? [event.text] : [])),
      events,
    };
  } finally {
    await rm(dir, { recursive: true });
  }
}

const subjects = [
  'card',
  'parcel',
  'invoice',
  'password',
  'voucher',
  'account',
  'refund',
  'delivery',
  'order',
  'plan',
];
const verbs = [
  'lost',
  'changed',
  'received',
  'cancelled',
  'broke',
  'forgot',
  'ordered',
  'returned',
  'paid',
  'missed',
];

/** A CSV file with different texts of two classes, `count` each. */
export function makeCsv(count: number, header = 'text,label'): string {
  const rows = Array.from({ length: count * 2 }, (_, index) => {
    const text = `I ${verbs[index % 10] ?? ''} my ${subjects[Math.floor(index / 10) % 10] ?? ''} number ${index} today`;
    return `${text},${index % 2 === 0 ? 'even' : 'odd'}`;
  });
  return `${header}\n${rows.join('\n')}\n`;
}
