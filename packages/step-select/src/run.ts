import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { openTokenizer, readDataset } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';
import { crossValidateProbe, nearestNeighbours, percent, wilsonInterval } from '@joyul/metrics';
import type { Interval } from '@joyul/metrics';
import { blockOf, writeModel } from '@joyul/models';
import type { BertFolder } from '@joyul/models';
import { encodeFeatures, encodeRows, openEncoder } from '@joyul/training';
import { fetchModel, sampleRows } from './candidates.ts';
import type { Candidate, Context } from './candidates.ts';
import type { SelectParams } from './index.ts';
import { selectLanguageModel } from './language.ts';

/** A candidate that is on this machine, with its scores. */
interface Scored {
  readonly candidate: Candidate;
  readonly resolved: string;
  readonly sha256: string;
  readonly model: BertFolder;
  readonly layers: number;
  readonly weights: number;
  readonly probe: number;
  readonly interval: Interval;
  readonly neighbours: number;
  readonly milliseconds: number;
}

async function score(
  candidate: Candidate,
  rows: readonly Row[],
  labels: readonly string[],
  context: Context,
): Promise<Scored> {
  const { params, backend, signal, sharedDir, emit } = context;
  const { opened, resolved, sha256 } = await fetchModel(candidate, context, async (folder) => ({
    model: await openEncoder(folder),
  }));
  const { model } = opened;
  const layers = Math.min(candidate.layers ?? model.config.layers, model.config.layers);
  const tokenizer = await openTokenizer(model.path);
  const examples = encodeRows(rows, tokenizer, labels, params.max_length);
  const startMs = performance.now();
  const { width, byLayer } = await encodeFeatures(model, examples, {
    layers: [layers],
    pooling: 'mean',
    padId: tokenizer.padId,
    signal,
    sharedDir,
    ...(backend === undefined ? {} : { backend }),
    onProgress: (done, total) => {
      emit({ type: 'progress', activity: `probing ${candidate.name}`, done, total, unit: 'texts' });
    },
  });
  const milliseconds = (performance.now() - startMs) / rows.length;
  const features = byLayer.get(layers) ?? new Float32Array();
  const truth = examples.map((example) => example.label);
  const hits = (answers: readonly number[]): number =>
    answers.filter((answer, row) => answer === truth[row]).length;
  const right = hits(crossValidateProbe(features, width, truth, labels.length));
  const cut = model.config.layers - layers;
  return {
    candidate,
    resolved,
    sha256,
    model,
    layers,
    weights: cut === 0 ? model.weightCount : await countWeights(model, layers),
    probe: right / truth.length,
    interval: wilsonInterval(right, truth.length),
    neighbours: hits(nearestNeighbours(features, width, truth, labels.length)) / truth.length,
    milliseconds,
  };
}

/** True for weights of the encoder's lower layers. */
const isKept = (name: string, layers: number): boolean => {
  const block = blockOf(name);
  if (block === undefined || block === 'classifier') return false;
  const layer = /^layer\.(\d+)$/.exec(block)?.[1];
  return layer === undefined || Number(layer) < layers;
};

async function countWeights(model: BertFolder, layers: number): Promise<number> {
  const tensors = await model.readTensors((name) => isKept(name, layers));
  return [...tensors.values()].reduce((sum, tensor) => sum + tensor.data.length, 0);
}

function choose(
  scored: readonly Scored[],
  params: SelectParams,
): { readonly winner: Scored; readonly reason: string } {
  const best = scored.reduce((left, right) => (right.probe > left.probe ? right : left));
  const named = scored.find((item) => item.candidate.name === params.choose);
  if (named !== undefined) return { winner: named, reason: 'the pipeline names it' };
  const close = scored.filter((item) => item.probe >= best.probe - params.tolerance);
  const winner = close.reduce((left, right) => (right.weights < left.weights ? right : left));
  if (winner === best)
    return {
      winner,
      reason:
        scored.length === 1
          ? 'it is the only candidate'
          : `its probe is right most often (${percent(best.probe)})`,
    };
  return {
    winner,
    reason: `it is smaller, and its probe is at most ${percent(params.tolerance)} behind the best`,
  };
}

/** Fetches, scores and takes a model. */
export async function runSelect(context: Context): Promise<void> {
  const dataset = await readDataset(context.inputs.dataset);
  await (dataset.header.task === 'classification' ? selectEncoder : selectLanguageModel)(dataset, context);
}

async function selectEncoder(dataset: Dataset, context: Context): Promise<void> {
  const { params, outputs, seed, emit } = context;
  const { labels } = dataset.header;
  if (labels.length < 2)
    throw new StepFailure(
      'NO_LABELS',
      `The data set has ${labels.length} labels; scoring candidates needs two or more.`,
    );
  const rows = sampleRows(await dataset.rows('train'), params.max_rows, seed);
  const scored: Scored[] = [];
  for (const candidate of params.candidates) scored.push(await score(candidate, rows, labels, context));
  const { winner, reason } = choose(scored, params);
  const tensors = await winner.model.readTensors((name) => isKept(name, winner.layers));
  const config = { ...winner.model.rawConfig, num_hidden_layers: winner.layers };
  await writeModel(outputs.model, {
    rawConfig: config,
    // The head that guesses masked words serves a stage on unlabelled texts.
    tensors: [...tensors.values(), ...winner.model.maskedHead],
    tokenizerFrom: winner.model.path,
  });
  const bySize = [...scored].sort((a, b) => b.weights - a.weights);
  const agrees = bySize[0] === scored.reduce((left, right) => (right.probe > left.probe ? right : left));
  // Not how long it took, which differs each time: what needs this step would run again for nothing.
  const evidence = scored.map(({ candidate, resolved, layers, weights, probe, interval, neighbours }) => ({
    name: candidate.name,
    resolved,
    layers,
    weights,
    probe,
    interval,
    neighbours,
  }));
  const origin = {
    version: 1,
    source: winner.resolved,
    architecture: 'bert',
    weightsSha256: winner.sha256,
    weights: winner.weights,
    layers: winner.layers,
  };
  await writeFile(join(outputs.model, 'joyul-model.json'), `${JSON.stringify(origin, null, 2)}\n`);
  await writeFile(
    join(outputs.model, 'decision.json'),
    `${JSON.stringify({ chosen: winner.candidate.name, reason, rows: rows.length, candidates: evidence }, null, 2)}\n`,
  );
  emit({
    type: 'finding',
    weight: 'headline',
    text: `Chose ${winner.candidate.name} (${(winner.weights / 1e6).toFixed(1)} M weights): ${reason}.`,
  });
  if (scored.length > 1) {
    const size = agrees ? 'also names' : 'would name another:';
    emit({
      type: 'finding',
      text: `Scored on ${rows.length} training texts. Ranking by size alone ${size} ${bySize[0]?.candidate.name ?? ''}.`,
    });
    emit({
      type: 'table',
      title: 'Candidates',
      columns: ['model', 'M weights', 'probe accuracy', '95 % interval', 'nearest neighbours', 'ms a text'],
      rows: scored.map((item) => [
        item.candidate.name,
        Number((item.weights / 1e6).toFixed(1)),
        percent(item.probe),
        `${percent(item.interval.low)} – ${percent(item.interval.high)}`,
        percent(item.neighbours),
        Number(item.milliseconds.toFixed(1)),
      ]),
    });
  }
}
