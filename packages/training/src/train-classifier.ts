import { createHash } from 'node:crypto';
import { chooseBackend, choosePrecision } from '@joyul/compute';
import type { NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import { makeClassifierProgram } from './classifier-program.ts';
import { makeClassifierTask } from './classifier-task.ts';
import { runTraining } from './run-training.ts';
import type { TrainOptions, TrainResult } from './train-options.ts';
import { requireRows } from './train-options.ts';
import { checkClassifierMemory, cutOf, makeSettings } from './training-plan.ts';
import { trunkOf } from './trunk/trunk-model.ts';
import type { TrunkStates } from './trunk/trunk-states.ts';
import { openStates } from './trunk/trunk-states.ts';
import { withWorkshop } from './workshop.ts';
import type { Workshop } from './workshop.ts';

function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { ids, label } of examples)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(String(label));
  return hash.digest('hex');
}

/** The states of the frozen layers, when there are such layers and the disk has room for their states. */
async function prepareStates(
  options: TrainOptions,
  before: ReadonlyMap<string, NamedTensor>,
  workshop: Workshop,
): Promise<{ readonly states: TrunkStates; readonly cut: number } | undefined> {
  const { model, train, validation, hparams } = options;
  const cut = cutOf(options);
  if (cut === undefined) return undefined;
  const texts = [...train, ...validation];
  const key = JSON.stringify([model.path, cut, digestExamples(texts)]);
  const states = await workshop.openStates(key, () =>
    openStates(trunkOf(model), before, texts, {
      ...options,
      cut,
      // States that are kept for long are as exact as they can be, unless speed was asked for by name.
      ...(hparams.precision === 'bfloat16' ? { matmul: 'bfloat16' } : {}),
    }),
  );
  if (states !== undefined) return { states, cut };
  options.onWarning?.(
    'The disk has no room for the states of the frozen layers; they are computed every time.',
  );
  return undefined;
}

/**
 * Trains a classifier: the head and the strategy's blocks, from the model's weights. The weights of the evaluation with
 * the highest accuracy are kept; of equals those with the lowest loss.
 *
 * Layers below the lowest trained one are computed once and their states reused in every epoch.
 * Checkpoints go to `scratchDir` at each evaluation; a run that finds its own goes on exactly, and so does one that
 * `takePrefix` gives the end of a run with fewer epochs.
 *
 * @throws TrainingError when memory would run out, the loss is not finite, or nothing can be learned.
 */
export async function trainClassifier(options: TrainOptions): Promise<TrainResult> {
  requireRows(options.train, options.validation);
  return withWorkshop(options.workshop, (workshop) => trainIn(workshop, options));
}

async function trainIn(workshop: Workshop, options: TrainOptions): Promise<TrainResult> {
  const { model, hparams, train, validation, backend, adapter, labels, strategy } = options;
  const { stateType = 'float16' } = options;
  const precision = await choosePrecision(hparams.precision, chooseBackend(backend).name);
  const memory = checkClassifierMemory(options, precision);
  const before = new Map([...(await workshop.readWeights(model)), ...(adapter?.tensors ?? [])]);
  const trunk = await prepareStates(options, before, workshop);
  const stored = trunk && { cut: trunk.cut, stateType: trunk.states.stateType };
  const settings = makeSettings(options, stored);
  const { options: shape, update, key } = settings;
  const tool = await workshop.openTool(
    { key: ['classifier', shape, update, key], make: () => makeClassifierProgram(shape, update) },
    { matmul: precision.name, ...(backend === undefined ? {} : { backend }) },
  );
  const states = trunk && {
    train: trunk.states.reader(),
    validation: trunk.states.reader(train.length),
  };
  return runTraining({
    options,
    task: makeClassifierTask({ options, session: tool.session, buckets: shape.times, states }),
    tool,
    isTrained: update.isTrained,
    before,
    adapters: adapter?.plan,
    identity: [strategy, labels, stateType, digestExamples(train), digestExamples(validation)],
    precision,
    memory,
    onStart: (start) => options.onStart?.({ ...start, cut: trunk?.cut, trunk: trunk?.states.report }),
  });
}
