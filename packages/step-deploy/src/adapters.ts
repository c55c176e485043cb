import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '@joyul/plugin-api';
import { openTokenizer } from '@joyul/data';
import type { Row } from '@joyul/data';
import { bertWeightSpecs, readAdapter, writeAdapter } from '@joyul/models';
import type { Adapter, BertFolder } from '@joyul/models';
import { encodeRows, measureMerge, openEncoder } from '@joyul/training';
import { findAdapter, hubName, isSameModel } from './common.ts';
import type { Context } from './common.ts';

/** How Python opens the adapter, with the base model from `place`; the class comes from the exported model beside it. */
const formatReadme = (source: string, place: string): string => `# Adapter

A PEFT adapter with the head, for ${source}. The folder above holds the same model with the adapter merged in.
Its head averages all tokens, so the base model has to be opened with the class beside the merged model, from the folder above:

\`\`\`python
from peft import PeftModel
from transformers import AutoConfig
from transformers.dynamic_module_utils import get_class_from_dynamic_module

Model = get_class_from_dynamic_module("modeling_joyul.JoyulForSequenceClassification", ".")
base = Model.from_pretrained("${place}", config=AutoConfig.from_pretrained("."))
model = PeftModel.from_pretrained(base, "adapter").eval()
\`\`\`
`;

/** What the export of an adapter needs. */
export interface AdapterExport {
  /** The folder of the exported model. */
  readonly dir: string;
  /** Where the base model came from, such as `hf:owner/name`. */
  readonly source: string | undefined;
  /** Rows on whose texts base model and adapter are compared with the merged weights. */
  readonly rows: readonly Row[];
  /** The largest difference of logits that is allowed. */
  readonly bound: number;
}

/** The largest difference of logits between the base model with the adapter and the trained model. */
async function measureAgainst(
  base: BertFolder,
  trained: BertFolder,
  adapter: Adapter,
  { rows, backend }: { readonly rows: readonly Row[]; readonly backend: Backend | undefined },
): Promise<number> {
  const tokenizer = await openTokenizer(trained.path);
  const settings = trained.rawConfig['joyul'] as {
    readonly maxLength: number;
    readonly pooling: 'mean' | 'cls';
  }; // Written by the train step.
  const check = {
    config: trained.config,
    classes: trained.labels.length,
    pooling: settings.pooling,
    padId: tokenizer.padId,
    examples: encodeRows(rows, tokenizer, trained.labels, settings.maxLength),
    ...(backend === undefined ? {} : { backend }),
  };
  return measureMerge(check, await base.readTensors(), adapter, await trained.readTensors());
}

/**
 * Writes the adapter of a model that was trained with one, in PEFT's files, when it gives the same logits beside
 * the base model as the merged weights do.
 */
export async function exportAdapter(
  context: Pick<Context, 'inputs' | 'emit' | 'backend'>,
  { dir, source, rows, bound }: AdapterExport,
): Promise<void> {
  const { inputs, emit, backend } = context;
  const found = await findAdapter(context);
  if (found === undefined) return;
  const trained = await openEncoder(inputs.trained);
  const specs = bertWeightSpecs(trained.config);
  const adapter = await readAdapter(found.from, specs);
  const difference = await measureAgainst(await openEncoder(found.base), trained, adapter, {
    rows,
    backend,
  });
  if (!isSameModel(context, difference, bound)) return;
  const name = hubName(source);
  const baseModel = name ?? source ?? 'the base model';
  await writeAdapter(join(dir, 'adapter'), adapter, specs, {
    taskType: 'SEQ_CLS',
    baseModel,
    prefix: 'bert.',
  });
  await writeFile(
    join(dir, 'adapter', 'README.md'),
    formatReadme(baseModel, name ?? 'path/to/the-base-model'),
  );
  emit({
    type: 'finding',
    text: `adapter/ is the same model as a PEFT adapter for the base model: on ${rows.length} texts logits differ by at most ${difference.toExponential(1)} from the merged weights'.`,
  });
}
