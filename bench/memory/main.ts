/**
 * Predicted beside seen memory, each case in a process of its own.
 *
 * `main.ts [--only TEXT] [--json]`: TEXT is part of a case's name.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { MemoryPrediction } from '@joyul/compute';
import { nameCase } from './cases.ts';
import type { MemoryCase } from './cases.ts';

const run = promisify(execFile);

const llama = { model: 'llama-135m', matmul: 'float32', checkpointing: false } as const;
const miniLm = { model: 'minilm', batch: 16, time: 64, matmul: 'float32', checkpointing: false } as const;
const small = { ...llama, batch: 4, time: 128 } as const;
const large = { ...llama, batch: 16, time: 128 } as const;

const cases: readonly MemoryCase[] = [
  { ...miniLm, trained: 'all' },
  { ...miniLm, trained: 'all', matmul: 'bfloat16' },
  { ...miniLm, trained: 'all', checkpointing: true },
  { ...miniLm, trained: 'all', batch: 32, time: 128 },
  { ...miniLm, trained: 2 },
  { ...small, trained: 0 },
  { ...small, trained: 0, matmul: 'bfloat16' },
  { ...small, trained: 6 },
  { ...small, trained: 6, matmul: 'bfloat16' },
  { ...small, trained: 6, checkpointing: true },
  { ...small, trained: 'all' },
  { ...small, trained: 'all', matmul: 'bfloat16' },
  { ...small, trained: 'all', checkpointing: true },
  { ...small, trained: 'all', matmul: 'bfloat16', checkpointing: true },
  { ...large, trained: 0 },
  { ...large, trained: 6 },
  { ...large, trained: 6, checkpointing: true },
  { ...large, trained: 'all' },
  { ...large, trained: 'all', checkpointing: true },
];

/** One line of the table. */
interface Row {
  readonly name: string;
  readonly predictedMb: number;
  readonly seenMb: number;
  readonly parts: MemoryPrediction['parts'];
  readonly cpuMs: number;
}

async function start<T>(script: string, ...rest: readonly string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, script), ...rest]);
  return JSON.parse(stdout) as T; // Each script says at its top what it prints.
}

async function measure(options: MemoryCase): Promise<Row> {
  const text = JSON.stringify(options);
  const { parts, totalBytes } = await start<MemoryPrediction>('predict-case.ts', text);
  const seen = await start<{ readonly peakMb: number; readonly cpuMs: number }>('measure-case.ts', text);
  return {
    name: nameCase(options),
    predictedMb: totalBytes / 2 ** 20,
    seenMb: seen.peakMb,
    parts,
    cpuMs: seen.cpuMs,
  };
}

function formatRow({ name, predictedMb, seenMb, parts, cpuMs }: Row): string {
  const share = (100 * (predictedMb / seenMb - 1)).toFixed(0);
  const list = Object.entries(parts)
    .filter(([, bytes]) => bytes >= 2 ** 20)
    .map(([part, bytes]) => `${part} ${(bytes / 2 ** 20).toFixed(0)}`);
  const columns = [
    name.padEnd(42),
    predictedMb.toFixed(0).padStart(9),
    seenMb.toFixed(0).padStart(6),
    `${share} %`.padStart(6),
    cpuMs.toFixed(0).padStart(7),
  ];
  return `${columns.join(' ')}  ${list.join(', ')}`;
}

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean' } } });
const rows: Row[] = [];
if (values.json !== true)
  process.stdout.write(
    `${'peak memory in MB'.padEnd(42)} predicted   seen  error  CPU ms  parts of the prediction\n`,
  );
for (const item of cases.filter((entry) => nameCase(entry).includes(values.only ?? ''))) {
  const row = await measure(item);
  rows.push(row);
  if (values.json !== true) process.stdout.write(`${formatRow(row)}\n`);
}
if (values.json === true) process.stdout.write(JSON.stringify(rows));
