import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPredictor } from '@joyul/training';
import type { Predictor } from '@joyul/training';
import { Batcher } from './batcher.ts';
import { RequestError, sendJson } from './http.ts';
import { formatPage } from './page.ts';
import { ServeError } from './service.ts';
import type { Exchange, ServeOptions, Service } from './service.ts';

interface Golden {
  readonly bound: number;
  readonly rows: readonly { readonly text: string; readonly logits: readonly number[] }[];
}

/** Largest difference to the logits that were stored when the model was deployed. */
async function replayGolden(predictor: Predictor, golden: Golden): Promise<number> {
  const predictions = await predictor.predict(golden.rows.map((row) => row.text));
  return Math.max(
    0,
    ...golden.rows.flatMap((row, index) =>
      row.logits.map((logit, at) => Math.abs(logit - (predictions[index]?.logits[at] ?? Number.NaN))),
    ),
  );
}

/** The texts of a request. */
function parseInput(body: unknown): readonly string[] {
  const input: unknown =
    typeof body === 'object' && body !== null && 'input' in body ? body.input : undefined;
  const texts = typeof input === 'string' ? [input] : input;
  if (Array.isArray(texts) && texts.length > 0 && texts.every((text) => typeof text === 'string'))
    return texts;
  throw new RequestError(400, 'invalid_input', '"input" must be a text or a list of texts.', {
    param: 'input',
  });
}

const maxTexts = 256;

/** A model that was changed after its deployment. */
export const changedModel = (dir: string, difference: number): ServeError =>
  new ServeError(
    `The model in ${dir} does not give its stored answers: logits differ by up to ${difference.toExponential(1)}. It was changed after it was deployed; deploy it again.`,
  );

/** Opens a classifier, when it gives the logits that were stored at its deployment. */
export async function openClassifierService(options: ServeOptions, name: string): Promise<Service> {
  const { dir, backend, maxBatch = 16, maxWaitMs = 5 } = options;
  const predictor = await openPredictor(dir, backend === undefined ? {} : { backend });
  const text = await readFile(join(dir, 'golden.json'), 'utf8').catch(() => undefined);
  const golden = text === undefined ? undefined : (JSON.parse(text) as Golden); // Written by the deploy step.
  const difference = golden === undefined ? 0 : await replayGolden(predictor, golden);
  if (golden !== undefined && !(difference <= golden.bound)) {
    predictor.dispose();
    throw changedModel(dir, difference);
  }
  const batcher = new Batcher(predictor, { maxBatch, maxWaitMs });
  return {
    page: formatPage(name, predictor.labels),
    routes: { 'POST /v1/classify': (exchange) => classify(exchange, { name, predictor, batcher }) },
    gauges: () => ({ queue_depth: batcher.depth }),
    example: (url) => `curl ${url}/v1/classify -H 'content-type: application/json' -d '{"input": "a text"}'`,
    dispose() {
      predictor.dispose();
    },
  };
}

async function classify(
  { response, metrics, readBody }: Exchange,
  model: { readonly name: string; readonly predictor: Predictor; readonly batcher: Batcher },
): Promise<void> {
  const texts = parseInput(await readBody());
  if (texts.length > maxTexts)
    throw new RequestError(
      400,
      'too_many_inputs',
      `At most ${maxTexts} texts fit in a request, but there are ${texts.length}.`,
      { param: 'input' },
    );
  const predictions = await model.batcher.predict(texts);
  const data = predictions.map((prediction, index) => {
    metrics.countPrediction(prediction.label);
    const scores = model.predictor.labels
      .map((label, at) => ({ label, score: prediction.probabilities[at] ?? 0 }))
      .sort((left, right) => right.score - left.score);
    return {
      index,
      label: prediction.label,
      probs: prediction.probabilities,
      num_classes: scores.length,
      scores,
    };
  });
  sendJson(response, 200, { object: 'list', model: model.name, data });
}
