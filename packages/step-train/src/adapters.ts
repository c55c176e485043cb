import { percent } from '@joyul/metrics';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { bertWeightSpecs, readAdapter, weightSpecsOf, writeAdapter } from '@joyul/models';
import type { Adapter, BertFolder, ModelFolder } from '@joyul/models';
import { measureMerge } from '@joyul/training';
import type { EffectiveChange, MergeCheck, Strategy, TrainResult } from '@joyul/training';

/** Validation rows on which the merged weights are compared with weights and adapter apart. */
const comparedRows = 16;

/** Why adapters are fine-tuning, in words and numbers. */
export function describeEffect(effective: readonly EffectiveChange[]): string {
  const changes = effective.map((layer) => layer.relativeChange).sort((left, right) => left - right);
  const moved = changes.filter((change) => change > 0).length;
  const range = `${percent(changes[0] ?? 0)} to ${percent(changes.at(-1) ?? 0)}`;
  return `No pretrained tensor was changed: low-rank adapters beside them were trained, which is fine-tuning, since they act as a change of the ${moved} weights that they sit beside, by ${range} of their norm.`;
}

/** The adapter that init drew, from the folder of the starting weights; nothing for other methods. */
export async function openAdapter(
  model: ModelFolder,
  strategy: Strategy,
): Promise<{ readonly adapter?: Adapter }> {
  if (strategy.adapters === undefined) return {};
  const dir = join(model.path, 'adapter');
  const adapter = await readAdapter(dir, weightSpecsOf(model)).catch((cause: unknown) => {
    throw new StepFailure('ADAPTER', 'The strategy says lora, but the starting weights have no adapter.', {
      help: 'Let init and train have the same strategy as an input: init draws the adapter.',
      cause,
    });
  });
  return { adapter };
}

/** What a trained adapter is checked with, and the model that training started from. */
type Check = Omit<MergeCheck, 'config' | 'backend'> & { readonly model: BertFolder };

/** Writes a trained adapter beside the merged weights, and says how close the two are. */
export async function keepAdapter(
  context: Pick<
    StepContext<unknown, never, { readonly trained: { readonly type: 'trained-model' } }>,
    'outputs' | 'emit' | 'backend'
  >,
  { adapter, weights }: TrainResult,
  { model, ...check }: Check,
): Promise<void> {
  if (adapter === undefined) return;
  const { outputs, emit, backend } = context;
  await writeAdapter(join(outputs.trained, 'adapter'), adapter, bertWeightSpecs(model.config), {
    taskType: 'SEQ_CLS',
    baseModel: 'the weights that training started from',
    prefix: 'bert.',
  });
  const examples = check.examples.slice(0, comparedRows);
  const settings = {
    ...check,
    examples,
    config: model.config,
    ...(backend === undefined ? {} : { backend }),
  };
  const difference = await measureMerge(settings, await model.readTensors(), adapter, weights);
  emit({
    type: 'finding',
    text: `The adapter is merged into the weights: on ${examples.length} texts their logits differ by at most ${difference.toExponential(1)} from those of weights and adapter apart. The adapter itself is kept beside them.`,
  });
}
