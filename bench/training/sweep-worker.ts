/** One process of ours: trains its share of the trials and prints what came of them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseBackend, choosePrecision } from '@joyul/compute';
import { openTokenizer } from '@joyul/data';
import type { Tokenizer } from '@joyul/data';
import { classifierSpecs, drawWeight, writeModel } from '@joyul/models';
import type { BertFolder } from '@joyul/models';
import {
  Workshop,
  defaultHparams,
  describeTrunk,
  encodeRows,
  openEncoder,
  openPredictor,
  trainClassifier,
} from '@joyul/training';
import type { Hparams, TrainOptions, TrainResult } from '@joyul/training';
import type { JobResult, SweepJob, SweepTrial, TrialResult } from './sweep-trials.ts';
import { winnerOf } from './sweep-trials.ts';

interface LabelledRow {
  readonly text: string;
  readonly label: string;
}

const readRows = (folder: string, split: string): readonly LabelledRow[] =>
  readFileSync(join(folder, `${split}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LabelledRow); // Written as the usage says.

/** The base model with a head drawn at random, as the peer's starts. */
async function addHead(base: BertFolder, labels: readonly string[], dir: string): Promise<BertFolder> {
  const tensors = await base.readTensors((name) => !name.startsWith('classifier.'));
  const head = classifierSpecs(base.config, labels.length).map((spec) => drawWeight(spec, 0.02, 1));
  await writeModel(dir, {
    rawConfig: base.rawConfig,
    tensors: [...tensors.values(), ...head],
    labels,
    tokenizerFrom: base.path,
  });
  return openEncoder(dir);
}

/** The test accuracy of trained weights, by the way in which a deployed model answers. */
async function test(result: TrainResult, model: BertFolder, rows: readonly LabelledRow[]): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'joyul-sweep-'));
  try {
    const { rawConfig, labels, path: tokenizerFrom } = model;
    await writeModel(dir, { rawConfig, tensors: [...result.weights.values()], labels, tokenizerFrom });
    const predictor = await openPredictor(dir);
    const found = await predictor.predict(rows.map((row) => row.text));
    predictor.dispose();
    return found.filter((prediction, index) => prediction.label === rows[index]?.label).length / rows.length;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function trialOptions(
  { top, learningRate }: SweepTrial,
  precision: Hparams['precision'],
  common: Pick<
    TrainOptions,
    'model' | 'labels' | 'train' | 'validation' | 'padId' | 'sharedDir' | 'workshop'
  >,
): TrainOptions {
  const { layers } = common.model.config;
  const blocks = Array.from({ length: top }, (_, index) => `layer.${layers - top + index}`);
  return {
    ...common,
    strategy: { blocks, pooling: 'mean' },
    hparams: {
      ...defaultHparams('repurpose'),
      learning_rate: learningRate,
      epochs: 3,
      evals_per_epoch: 1,
      early_stopping_patience: 0,
      precision,
    },
    seed: 1,
  };
}

interface Prepared {
  readonly tokenizer: Tokenizer;
  readonly labels: readonly string[];
  readonly rows: readonly LabelledRow[];
  readonly train: TrainOptions['train'];
  readonly validation: TrainOptions['validation'];
}

/** What the peer does before its clock starts, too. */
async function prepare(job: SweepJob): Promise<Prepared> {
  const tokenizer = await openTokenizer(job.model);
  const trainRows = readRows(job.data, 'train');
  const labels = [...new Set(trainRows.map((row) => row.label))].sort();
  const encode = (rows: readonly LabelledRow[]): TrainOptions['train'] =>
    encodeRows(rows.map((row, index) => ({ id: String(index), ...row })), tokenizer, labels, 128); // prettier-ignore
  return {
    tokenizer,
    labels,
    rows: readRows(job.data, 'test'),
    train: encode(trainRows),
    validation: encode(readRows(job.data, 'val')),
  };
}

async function run(job: SweepJob): Promise<JobResult> {
  const { tokenizer, labels, rows, train, validation } = await prepare(job);
  const startMs = Date.now();
  const cpu = process.cpuUsage();
  const dir = mkdtempSync(join(tmpdir(), 'joyul-sweep-'));
  const workshop = new Workshop();
  try {
    const { name: precision } = await choosePrecision(job.precision, chooseBackend().name);
    const model = await addHead(await openEncoder(job.model), labels, dir);
    const { sharedDir } = job;
    const common = { model, labels, train, validation, padId: tokenizer.padId, sharedDir, workshop };
    const trials: TrialResult[] = [];
    const notes = new Set<string>();
    let winner: { readonly index: number; readonly result: TrainResult } | undefined;
    for (const [index, trial] of job.trials.entries()) {
      const result = await trainClassifier({
        ...trialOptions(trial, precision, common),
        onStart: ({ trunk, cut = 0 }) => void notes.add(trunk === undefined ? '' : describeTrunk(trunk, cut)),
      });
      trials.push({ ...trial, validation: result.best.accuracy, validationLoss: result.best.loss });
      if (winnerOf(trials) === trials.at(-1)) winner = { index, result };
    }
    const endMs = Date.now();
    const { user, system } = process.cpuUsage(cpu);
    // After the clock has stopped, as at the peer's side.
    const score = winner === undefined ? 0 : await test(winner.result, model, rows);
    return {
      trials: trials.map((trial, index) => (index === winner?.index ? { ...trial, test: score } : trial)),
      startMs,
      endMs,
      cpuS: (user + system) / 1e6,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      precision,
      notes: [...notes],
    };
  } finally {
    await workshop.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as SweepJob))); // Written by sweep.ts.
